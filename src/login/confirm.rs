//! Confirm: prove who you are once more, with all that logging in takes, for what a borrowed or stolen session must not do.

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::factors::{AttemptScope, CodeRefusal};
use crate::identity::{Answer, Client, LiveUser, LoginMethod};
use crate::login::authenticate::{PasswordCheck, PasswordRecord};
use crate::login::{Login, queries};
use crate::throttle::{AttemptKeys, RefundOnFault, RetryAfter};
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
    /// Checks the password, and for those with a second factor `code` as well (ASVS 5.0 7.5.1, 7.5.3), then rotates
    /// the session's key (7.2.4).
    pub async fn confirm(
        &self,
        live: LiveUser,
        password: String,
        code: String,
        client: Client,
    ) -> Answer<Key, ConfirmRefusal> {
        let user = live.owner.id;
        let (known, attempt_keys, checked, counted) =
            self.check_own_password(&live, &password, &client).await?;
        let login = self.clone();
        let concluded = self
            .sessions
            .write(move |tx| {
                let rehashed = match checked {
                    PasswordCheck::Yes { rehashed } => rehashed,
                    PasswordCheck::TooMany(wait) => return Ok(Err(ConfirmRefusal::TooMany(wait))),
                    PasswordCheck::No => {
                        NewEvent::by_owner(AuditAction::ConfirmRefused, user, &client)
                            .session(live.record.handle)
                            .write(tx)?;
                        return Ok(Err(ConfirmRefusal::WrongPassword));
                    }
                };
                if !queries::lock_if_password_unchanged(tx, user, known.hash.as_ref())? {
                    return Ok(Err(ConfirmRefusal::SessionLost));
                }
                attempt_keys.reset(tx)?;
                let mut factor = LoginMethod::Password;
                if crate::factors::queries::has_second_factor(tx, user)? {
                    let place = AttemptScope::Session(live.record.handle);
                    match login.factors.verify_code(tx, user, &code, &place, &client)? {
                        Ok(proven) => factor = proven,
                        Err(refusal) => return Ok(Err(ConfirmRefusal::Code(refusal))),
                    }
                }
                let Some(key) = login.sessions.rotate(tx, &live, true)? else {
                    return Ok(Err(ConfirmRefusal::SessionLost));
                };
                if let Some(rehashed) = rehashed {
                    rehashed.keep(tx, user, &client)?;
                }
                NewEvent::by_owner(AuditAction::Confirmed, user, &client)
                    .session(live.record.handle)
                    .detail(factor.confirmed_with())
                    .write(tx)?;
                Ok(Ok(key))
            })
            .await;
        counted.if_fault(concluded)
    }

    /// Counted as at log-in, in a lane of its own: whoever hammers the log-in page must not keep the owner of a live
    /// session from ending a thief's.
    pub(crate) async fn check_own_password(
        &self,
        live: &LiveUser,
        password: &str,
        client: &Client,
    ) -> Result<(PasswordRecord, AttemptKeys, PasswordCheck, RefundOnFault), Fault> {
        let (user, browser) = (live.owner.id, client.browser);
        let (hash, is_known_device) = self
            .db
            .read(move |conn| {
                let is_known_device = match &browser {
                    Some(browser) => queries::is_known_device(conn, user, browser)?,
                    None => false,
                };
                Ok((queries::password_hash(conn, user)?, is_known_device))
            })
            .await?;
        let known = PasswordRecord { id: user, hash };
        let attempt_keys = AttemptKeys::for_session(
            user,
            live.record.handle,
            is_known_device,
            client,
            &self.throttle.counter_names,
        );
        let (checked, counted) = self.check_password(&attempt_keys, password, Some(&known)).await?;
        Ok((known, attempt_keys, checked, counted))
    }
}
