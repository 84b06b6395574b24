//! Reset a forgotten password with a mailed link. It ends every session, and does not log in.

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Email};
use crate::login::DeviceCookie;
use crate::notices::Notice;
use crate::passwords::WeakPassword;
use crate::recovery::Recovery;
use crate::secret::Token;
use crate::throttle;
use crate::throttle::{AttemptKeys, RetryAfter};

#[derive(Debug, PartialEq, Eq)]
pub enum ResetRefusal {
    /// Used, expired, replaced, or not issued by this server.
    DeadLink,
    Weak(WeakPassword),
}

impl Recovery {
    /// Mails a reset link if the address has an account. The answer does not reveal whether it has.
    pub async fn request_reset(&self, email: &Email, client: Client) -> Result<(), Failed<RetryAfter>> {
        let (recovery, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write_or_refuse(move |conn| {
                throttle::admit_form(conn, "forgot", &client, &recovery.throttle)?;
                if !throttle::admit_reset_mail(conn, &email_key, &recovery.throttle)? {
                    return Ok(());
                }
                // The same statements either way, so that the time does not reveal it (ASVS 5.0 6.3.8).
                let user = crate::identity::queries::recipient_at(conn, &email_key)?;
                match &user {
                    Some(user) => recovery.notices.send_reset_link(conn, user)?,
                    None => recovery
                        .notices
                        .send_decoy_reset(conn, recovery.notices.decoy_account(email_key.as_str()))?,
                }
                NewEvent::unproven(AuditAction::ResetRequested, user.map(|user| user.id), &client)
                    .write(conn)?;
                Ok(())
            })
            .await
    }

    /// A new link, for the operator to hand over instead of mailing it.
    pub async fn reset_link(&self, email: &Email) -> Result<Option<String>, Fault> {
        let (recovery, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                let Some(user) = crate::identity::queries::recipient_at(conn, &email_key)? else {
                    return Ok(None);
                };
                NewEvent::by_admin(AuditAction::ResetRequested, None, user.id, &Client::operator())
                    .write(conn)?;
                Ok(Some(recovery.notices.create_reset_link(conn, user.id)?.url))
            })
            .await
    }

    /// The address of the link's account; `None` if the link is dead. Consumes nothing.
    pub async fn reset_link_address(&self, token: &str) -> Result<Option<String>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        self.db
            .read(move |conn| {
                Ok(crate::notices::queries::reset_owner(conn, &token_hash)?.map(|owner| owner.email))
            })
            .await
    }

    /// Consumes the link, sets the password, ends every session and notifies the owner. This browser becomes a known
    /// device, so that attackers who guess passwords cannot lock the owner out.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        client: Client,
    ) -> Result<DeviceCookie, Failed<ResetRefusal>> {
        let Some(token_hash) = Token::hash_of(token) else { return refuse(ResetRefusal::DeadLink) };
        let Some(owner) =
            self.db.read(move |conn| crate::notices::queries::reset_owner(conn, &token_hash)).await?
        else {
            return refuse(ResetRefusal::DeadLink);
        };
        let chosen = match self.passwords.choose(new, &owner.name, &owner.email) {
            Ok(chosen) => chosen,
            Err(weak) => return refuse(ResetRefusal::Weak(weak)),
        };
        let hash = self.passwords.hash(chosen).await?;
        let recovery = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                // Of two requests with one link, only one consumes it.
                if !crate::notices::queries::consume_reset(tx, &token_hash, owner.id)? {
                    return refuse(ResetRefusal::DeadLink);
                }
                recovery.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Reset, owner.id, &client))?;
                crate::login::queries::set_password(tx, owner.id, &hash, true)?;
                AttemptKeys::reset_all(
                    tx,
                    owner.id,
                    Email::stored(&owner.email).key(),
                    &recovery.throttle.counter_names,
                )?;
                let device = recovery.login.remember_device(tx, owner.id, &client)?;
                NewEvent::unproven(AuditAction::PasswordReset, Some(owner.id), &client).write(tx)?;
                recovery.notices.send_notice(tx, &owner, &Notice::PasswordReset, &client)?;
                Ok(device.cookie)
            })
            .await
    }
}
