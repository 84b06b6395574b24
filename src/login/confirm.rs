//! Confirm: prove who you are once more, with all that logging in takes, for what a borrowed or stolen session must not do.

use crate::audit::{Act, Entry};
use crate::db::Fault;
use crate::factors::{CodeRefusal, Place};
use crate::identity::{Answer, Client, Factor, LiveUser};
use crate::login::authenticate::{Checked, Known};
use crate::login::{Login, queries};
use crate::throttle::{Budget, Counted, Wait};
use latchkey_sessions::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum ConfirmRefusal {
    WrongPassword,
    Code(CodeRefusal),
    TooMany(Wait),
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
        let (known, budget, checked, counted) = self.check_own_password(&live, &password, &client).await?;
        let login = self.clone();
        let concluded = self
            .sessions
            .write(move |change| {
                let rehashed = match checked {
                    Checked::Yes { rehashed } => rehashed,
                    Checked::TooMany(wait) => return Ok(Err(ConfirmRefusal::TooMany(wait))),
                    Checked::No => {
                        Entry::own(Act::ConfirmRefused, user, &client)
                            .session(live.record.handle)
                            .write(change)?;
                        return Ok(Err(ConfirmRefusal::WrongPassword));
                    }
                };
                if !queries::lock_with_hash(change, user, known.hash.as_ref())? {
                    return Ok(Err(ConfirmRefusal::SessionLost));
                }
                budget.give_back(change)?;
                let mut factor = Factor::Password;
                if crate::factors::queries::has_second_factor(change, user)? {
                    let place = Place::Session(live.record.handle);
                    match login.factors.prove_code(change, user, &code, &place, &client)? {
                        Ok(proven) => factor = proven,
                        Err(refusal) => return Ok(Err(ConfirmRefusal::Code(refusal))),
                    }
                }
                let Some(key) = login.sessions.rotate(change, &live, true)? else {
                    return Ok(Err(ConfirmRefusal::SessionLost));
                };
                if let Some(rehashed) = rehashed {
                    rehashed.keep(change, user, &client)?;
                }
                Entry::own(Act::Confirmed, user, &client)
                    .session(live.record.handle)
                    .detail(factor.confirmed_with())
                    .write(change)?;
                Ok(Ok(key))
            })
            .await;
        counted.settle(concluded)
    }

    /// Counted as at log-in, in a lane of its own: whoever hammers the log-in page must not keep the owner of a live
    /// session from ending a thief's.
    pub(crate) async fn check_own_password(
        &self,
        live: &LiveUser,
        password: &str,
        client: &Client,
    ) -> Result<(Known, Budget, Checked, Counted), Fault> {
        let (user, browser) = (live.owner.id, client.browser);
        let (hash, knows_browser) = self
            .db
            .read(move |conn| {
                let knows_browser = match &browser {
                    Some(browser) => queries::knows_browser(conn, user, browser)?,
                    None => false,
                };
                Ok((queries::password_hash(conn, user)?, knows_browser))
            })
            .await?;
        let known = Known { id: user, hash };
        let budget = Budget::own(user, live.record.handle, knows_browser, client, &self.throttle.buckets);
        let (checked, counted) = self.check_password(&budget, password, Some(&known)).await?;
        Ok((known, budget, checked, counted))
    }
}
