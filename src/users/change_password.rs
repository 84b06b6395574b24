//! Change one's own password.

use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Refusable as _, refuse};
use crate::identity::{Client, Email, LiveUser, UserSession as _};
use crate::notices::{LinkDetails, LinkPurpose, Notice};
use crate::passwords::WeakPassword;
use crate::throttle::{AttemptKeys, RetryAfter};
use crate::users::Users;
use latchkey_sessions::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum ChangePasswordRefusal {
    WrongPassword,
    /// The new password is the current one.
    Same,
    Weak(WeakPassword),
    TooMany(RetryAfter),
    SessionLost,
}

impl Users {
    /// Sets the new password, rotates this session's key, ends the other sessions and notifies the owner, in one
    /// transaction (ASVS 5.0 6.2.3, 7.4.3).
    pub async fn change_password(
        &self,
        live: LiveUser,
        current: SecretString,
        new: SecretString,
        client: Client,
    ) -> Result<Key, Failed<ChangePasswordRefusal>> {
        let user = live.user_id();
        let owner = self.db.read(move |conn| crate::identity::queries::recipient(conn, user)).await?;
        let Some(owner) = owner else { return refuse(ChangePasswordRefusal::SessionLost) };
        let chosen = match self.passwords.choose(new.expose_secret(), &owner.name, &owner.email) {
            Ok(chosen) => chosen,
            Err(weak) => return refuse(ChangePasswordRefusal::Weak(weak)),
        };
        let (record, keys) = self.login.own_password_record(&live, &client).await?;
        let counted = self.login.count_attempt(&keys).await.map_refusal(ChangePasswordRefusal::TooMany)?;
        let verified =
            self.login.verify_password(&keys, counted, current.expose_secret(), Some(&record)).await?;
        let Some(verified) = verified else {
            self.login.record_confirm_refused(&live, client).await?;
            return refuse(ChangePasswordRefusal::WrongPassword);
        };
        if new.expose_secret() == current.expose_secret() {
            // The password was correct, so the attempt must not count as a failure.
            let reset = self.db.write(move |conn| keys.reset(conn)).await;
            verified.refund.if_fault(reset)?;
            return refuse(ChangePasswordRefusal::Same);
        }
        let hash = match self.passwords.hash(chosen).await {
            Ok(hash) => hash,
            Err(busy) => return verified.refund.if_fault_in(Err(busy.into())),
        };
        let users = self.clone();
        let changed = self
            .sessions
            .write_or_refuse(move |tx| {
                if !crate::login::queries::lock_if_password_unchanged(tx, user, record.hash.as_ref())? {
                    return refuse(ChangePasswordRefusal::SessionLost);
                }
                let Some(key) = users.sessions.rotate(tx, &live, true)? else {
                    return refuse(ChangePasswordRefusal::SessionLost);
                };
                AttemptKeys::reset_all(
                    tx,
                    user,
                    Email::stored(&owner.email).key(),
                    &users.throttle.counter_names,
                )?;
                let request = CleanupRequest::new(Cleanup::NewPassword, user, &client)
                    .by(Some(user))
                    .session(live.record.handle)
                    .in_this_browser();
                users.cleaner.clean_up(tx, &request)?;
                crate::login::queries::set_password(tx, user, &hash, true)?;
                NewEvent::by_owner(AuditAction::PasswordChanged, user, &client)
                    .session(live.record.handle)
                    .write(tx)?;
                let about = LinkDetails {
                    session: Some(live.record.handle),
                    email: Some(&owner.email),
                    since: Some(live.record.created_at.into()),
                    ..LinkDetails::default()
                };
                let notice = Notice::PasswordChanged {
                    not_me: users.notices.create_link(tx, user, LinkPurpose::NotMe, about)?,
                };
                users.notices.send_notice(tx, &owner, &notice, &client)?;
                Ok(key)
            })
            .await;
        verified.refund.if_fault_in(changed)
    }
}
