//! A forgotten password: a link by mail sets a new one. It ends every session and logs nobody in.

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::Fault;
use crate::identity::{Answer, Client, Email};
use crate::login::DeviceCookie;
use crate::notices::Notice;
use crate::passwords::WeakPassword;
use crate::secret::Token;
use crate::throttle;
use crate::throttle::{AttemptKeys, RetryAfter};
use crate::users::Users;

#[derive(Debug, PartialEq, Eq)]
pub enum ResetRefusal {
    /// Used, expired, superseded, or never ours.
    DeadLink,
    Weak(WeakPassword),
}

impl Users {
    /// Mails a reset link if the address has an account. The answer is the same either way.
    pub async fn request_reset(&self, email: &Email, client: Client) -> Answer<(), RetryAfter> {
        let (users, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                if let Err(wait) = throttle::admit_form(conn, "forgot", &client, &users.throttle)? {
                    return Ok(Err(wait));
                }
                if !throttle::admit_reset_mail(conn, &email_key, &users.throttle)? {
                    return Ok(Ok(()));
                }
                // The same statements either way, or the time would tell who has an account (ASVS 5.0 6.3.8).
                let user = crate::identity::queries::recipient_at(conn, &email_key)?;
                match &user {
                    Some(user) => users.notices.send_reset_link(conn, user)?,
                    None => users
                        .notices
                        .send_decoy_reset(conn, users.notices.decoy_account(email_key.as_str()))?,
                }
                NewEvent::unproven(AuditAction::ResetRequested, user.map(|user| user.id), &client)
                    .write(conn)?;
                Ok(Ok(()))
            })
            .await
    }

    /// A fresh link for `user`, shown to the operator instead of mailed.
    pub async fn reset_link(&self, email: &Email) -> Result<Option<String>, Fault> {
        let (users, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                let Some(user) = crate::identity::queries::recipient_at(conn, &email_key)? else {
                    return Ok(None);
                };
                NewEvent::by_admin(AuditAction::ResetRequested, None, user.id, &Client::operator())
                    .write(conn)?;
                users.notices.create_reset_link(conn, user.id).map(Some)
            })
            .await
    }

    /// The address of the account whose password the link would set; `None` if the link is dead. Consumes nothing.
    pub async fn reset_link_address(&self, token: &str) -> Result<Option<String>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        self.db
            .read(move |conn| {
                Ok(crate::notices::queries::reset_owner(conn, &token_hash)?.map(|owner| owner.email))
            })
            .await
    }

    /// Consumes the link, sets the password, ends every session and tells the owner.
    /// This browser is known from then on, so that strangers who are guessing cannot keep the owner out.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        client: Client,
    ) -> Answer<DeviceCookie, ResetRefusal> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(Err(ResetRefusal::DeadLink)) };
        let Some(owner) =
            self.db.read(move |conn| crate::notices::queries::reset_owner(conn, &token_hash)).await?
        else {
            return Ok(Err(ResetRefusal::DeadLink));
        };
        let chosen = match self.passwords.choose(new, &owner.name, &owner.email) {
            Ok(chosen) => chosen,
            Err(weak) => return Ok(Err(ResetRefusal::Weak(weak))),
        };
        let hash = self.passwords.hash(chosen).await?;
        let users = self.clone();
        self.sessions
            .write(move |tx| {
                // Consuming decides who wins: a second request with the same link finds nothing.
                if !crate::notices::queries::consume_reset(tx, &token_hash, owner.id)? {
                    return Ok(Err(ResetRefusal::DeadLink));
                }
                users.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Reset, owner.id, &client))?;
                crate::login::queries::set_password(tx, owner.id, &hash, true)?;
                AttemptKeys::reset_all(
                    tx,
                    owner.id,
                    Email::stored(&owner.email).key(),
                    &users.throttle.counter_names,
                )?;
                let device = users.login.remember_device(tx, owner.id, &client)?;
                NewEvent::unproven(AuditAction::PasswordReset, Some(owner.id), &client).write(tx)?;
                users.notices.send_notice(tx, &owner, &Notice::PasswordReset, &client)?;
                Ok(Ok(device.cookie))
            })
            .await
    }
}
