//! Reset a forgotten password with a mailed link. It ends every session, and does not log in.

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Email};
use crate::login::DeviceCookie;
use crate::notices::Notice;
use crate::passwords::Weak;
use crate::secret::Token;
use crate::throttle;
use crate::throttle::{Budget, Wait};
use crate::users::Users;

#[derive(Debug, PartialEq, Eq)]
pub enum ResetRefusal {
    /// Used, expired, replaced, or not issued by this server.
    DeadLink,
    Weak(Weak),
}

impl Users {
    /// Mails a reset link if the address has an account. The answer does not reveal whether it has.
    pub async fn request_reset(&self, email: &Email, client: Client) -> Result<(), Failed<Wait>> {
        let (users, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write_or_refuse(move |conn| {
                if let Err(wait) = throttle::may_ask(conn, "forgot", &client, &users.throttle)? {
                    return refuse(wait);
                }
                if !throttle::may_mail_reset(conn, &email_key, &users.throttle)? {
                    return Ok(());
                }
                // The same statements either way, so that the time does not reveal it (ASVS 5.0 6.3.8).
                let user = crate::identity::queries::addressee_at(conn, &email_key)?;
                match &user {
                    Some(user) => users.notices.mail_reset(conn, user)?,
                    None => users
                        .notices
                        .mail_decoy_reset(conn, users.notices.decoy_account(email_key.as_str()))?,
                }
                Entry::nobody(Act::ResetRequested, user.map(|user| user.id), &client).write(conn)?;
                Ok(())
            })
            .await
    }

    /// A new link, for the operator to hand over instead of mailing it.
    pub async fn reset_link(&self, email: &Email) -> Result<Option<String>, Fault> {
        let (users, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                let Some(user) = crate::identity::queries::addressee_at(conn, &email_key)? else {
                    return Ok(None);
                };
                Entry::on(Act::ResetRequested, None, user.id, &Client::operator()).write(conn)?;
                users.notices.make_reset_link(conn, user.id).map(Some)
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
        let users = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                // Of two requests with one link, only one consumes it.
                if !crate::notices::queries::take_reset(tx, &token_hash, owner.id)? {
                    return refuse(ResetRefusal::DeadLink);
                }
                users.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Reset, owner.id, &client))?;
                crate::login::queries::set_password(tx, owner.id, &hash, true)?;
                Budget::forgive(tx, owner.id, Email::stored(&owner.email).key(), &users.throttle.buckets)?;
                let device = users.login.remember_device(tx, owner.id, &client)?;
                Entry::nobody(Act::PasswordReset, Some(owner.id), &client).write(tx)?;
                users.notices.tell(tx, &owner, &Notice::PasswordReset, &client)?;
                Ok(device.cookie)
            })
            .await
    }
}
