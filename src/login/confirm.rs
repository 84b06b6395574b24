//! Confirm a session: verify the password, and the second factor if the user has one, again before a sensitive action. A
//! borrowed or stolen session alone must not be enough for those.

use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{AuditAction, NewEvent};
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::factors::{AttemptScope, CodeRefusal};
use crate::identity::{Client, LiveUser, LoginMethod, UserSession as _};
use crate::login::{Login, queries};
use crate::throttle::RetryAfter;
use latchkey_sessions::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum ConfirmRefusal {
    WrongPassword,
    Code(CodeRefusal),
    TooMany(RetryAfter),
    /// The session ended, or another request rotated its key, while this one ran.
    SessionLost,
}

impl Login {
    /// Verifies the password, and `code` if the user has a second factor (ASVS 5.0 7.5.1, 7.5.3), then rotates the
    /// session's key (7.2.4).
    pub async fn confirm(
        &self,
        live: LiveUser,
        password: SecretString,
        code: SecretString,
        client: Client,
    ) -> Result<Key, Failed<ConfirmRefusal>> {
        let (record, keys) = self.own_password_record(&live, &client).await?;
        let counted = self.count_attempt(&keys).await.map_refusal(ConfirmRefusal::TooMany)?;
        let Some(verified) =
            self.verify_password(&keys, counted, password.expose_secret(), Some(&record)).await?
        else {
            self.record_confirm_refused(&live, client).await?;
            return refuse(ConfirmRefusal::WrongPassword);
        };
        let (login, rehash) = (self.clone(), verified.rehash);
        let confirmed = self
            .sessions
            .write_or_refuse(move |tx| {
                let user = record.user;
                if !queries::lock_if_password_unchanged(tx, user, record.hash.as_ref())? {
                    return refuse(ConfirmRefusal::SessionLost);
                }
                keys.reset(tx)?;
                let mut factor = LoginMethod::Password;
                if crate::factors::queries::has_second_factor(tx, user)? {
                    let scope = AttemptScope::Session(live.record.handle);
                    let verified = login.factors.verify_code(tx, user, code.expose_secret(), &scope, &client);
                    factor = verified.map_refusal(ConfirmRefusal::Code)?;
                }
                let Some(key) = login.sessions.rotate(tx, &live, true)? else {
                    return refuse(ConfirmRefusal::SessionLost);
                };
                if let Some(rehash) = rehash {
                    rehash.store(tx, user, &client)?;
                }
                NewEvent::by_owner(AuditAction::Confirmed, user, &client)
                    .session(live.record.handle)
                    .detail(factor.confirmed_with())
                    .write(tx)?;
                Ok(key)
            })
            .await;
        verified.refund.if_fault_in(confirmed)
    }

    /// Writes the event about a wrong password in a session.
    pub(crate) async fn record_confirm_refused(&self, live: &LiveUser, client: Client) -> Result<(), Fault> {
        let (user, session) = (live.user_id(), live.record.handle);
        self.db
            .write(move |conn| {
                NewEvent::by_owner(AuditAction::ConfirmRefused, user, &client).session(session).write(conn)
            })
            .await
    }
}
