//! Change one's own password.

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::identity::{Answer, Client, Email, LiveUser};
use crate::login::PasswordCheck;
use crate::notices::Notice;
use crate::passwords::WeakPassword;
use crate::throttle::{AttemptKeys, RetryAfter};
use crate::users::Users;
use latchkey_sessions::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum ChangePasswordRefusal {
    WrongPassword,
    /// The new one is the current one.
    Same,
    Weak(WeakPassword),
    TooMany(RetryAfter),
    SessionLost,
}

impl Users {
    /// Sets a new password, rotates this session, cleans up everything that the old one opened and tells the owner by
    /// mail: one transaction (ASVS 5.0 6.2.3, 7.4.3).
    pub async fn change_password(
        &self,
        live: LiveUser,
        current: String,
        new: String,
        client: Client,
    ) -> Answer<Key, ChangePasswordRefusal> {
        let user = live.owner.id;
        let Some(person) = self.db.read(move |conn| crate::identity::queries::recipient(conn, user)).await?
        else {
            return Ok(Err(ChangePasswordRefusal::SessionLost));
        };
        let chosen = match self.passwords.choose(&new, &person.name, &person.email) {
            Ok(chosen) => chosen,
            Err(weak) => return Ok(Err(ChangePasswordRefusal::Weak(weak))),
        };
        let (known, attempt_keys, checked, counted) =
            self.login.check_own_password(&live, &current, &client).await?;
        match checked {
            PasswordCheck::Yes { .. } if new == current => {
                // The proof was good: it must not count as a failure.
                let given_back = self.db.write(move |conn| attempt_keys.reset(conn)).await;
                counted.if_fault(given_back)?;
                return Ok(Err(ChangePasswordRefusal::Same));
            }
            PasswordCheck::Yes { .. } => {}
            PasswordCheck::TooMany(wait) => return Ok(Err(ChangePasswordRefusal::TooMany(wait))),
            PasswordCheck::No => {
                self.db
                    .write(move |conn| {
                        NewEvent::by_owner(AuditAction::ConfirmRefused, user, &client)
                            .session(live.record.handle)
                            .write(conn)
                    })
                    .await?;
                return Ok(Err(ChangePasswordRefusal::WrongPassword));
            }
        }
        let hash = match self.passwords.hash(chosen).await {
            Ok(hash) => hash,
            Err(busy) => return counted.if_fault(Err(busy)),
        };
        let users = self.clone();
        let changed = self
            .sessions
            .write(move |tx| {
                if !crate::login::queries::lock_if_password_unchanged(tx, user, known.hash.as_ref())? {
                    return Ok(Err(ChangePasswordRefusal::SessionLost));
                }
                let Some(key) = users.sessions.rotate(tx, &live, true)? else {
                    return Ok(Err(ChangePasswordRefusal::SessionLost));
                };
                AttemptKeys::reset_all(
                    tx,
                    user,
                    Email::stored(&person.email).key(),
                    &users.throttle.counter_names,
                )?;
                let request = CleanupRequest::new(Cleanup::NewPassword, user, &client)
                    .by(Some(user))
                    .session(live.record.handle)
                    .from_this_browser();
                users.cleaner.clean_up(tx, &request)?;
                crate::login::queries::set_password(tx, user, &hash, true)?;
                NewEvent::by_owner(AuditAction::PasswordChanged, user, &client)
                    .session(live.record.handle)
                    .write(tx)?;
                users.notices.send_notice(tx, &person, &Notice::PasswordChanged, &client)?;
                Ok(Ok(key))
            })
            .await;
        counted.if_fault(changed)
    }
}
