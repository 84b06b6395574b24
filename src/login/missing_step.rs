//! A log-in with the right password whose second step is never completed. Another person may know the
//! password, so the owner is told (ASVS 5.0 6.3.5). Only where the browser is new to the owner, and at most
//! once a day.
//!
//! The row is written with the pending log-in and deleted when the second step is completed. However the pending log-in
//! ends otherwise (time, wrong codes, "start again", a changed password), the row stays until it is due.

use crate::config::Span;
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::{Login, queries};
use crate::notices::Notice;
use crate::secret::TokenHash;
use crate::throttle;
use latchkey_sessions::SessionTx;

/// Rows of one user at most: one is enough for the letter.
const MOST: i64 = 10;

impl Login {
    /// Notes that a second step is expected `within` this time. The caller has locked the user's row.
    pub(crate) fn expect_second_step(
        &self,
        change: &mut SessionTx<'_>,
        pending: &TokenHash,
        user: UserId,
        client: &Client,
        within: Span,
    ) -> Result<(), Fault> {
        let is_known = match &client.browser {
            Some(browser) => queries::knows_browser(change, user, browser)?,
            None => false,
        };
        if is_known || !self.mailer.delivers() {
            return Ok(());
        }
        queries::insert_unfinished(change, pending, user, client, within.std(), MOST)
    }

    /// Tells the owners of log-ins whose second step is overdue; answers how many rows were looked at. Each row is
    /// handled once, by one of several instances; after a crash the next pass handles it.
    pub async fn tell_of_missing_steps(&self) -> Result<usize, Fault> {
        let mut rows = 0;
        loop {
            let login = self.clone();
            let found = self
                .db
                .write(move |conn| {
                    let Some(overdue) = queries::take_overdue(conn)? else { return Ok(false) };
                    let user = overdue.user;
                    if let Some(owner) = crate::identity::queries::addressee(conn, user)?
                        && throttle::may_tell_of_missing_step(conn, user, &login.throttle)?
                    {
                        let notice = Notice::SecondStepMissing;
                        login.notices.tell_at(conn, &owner, &notice, &overdue.client, overdue.at)?;
                    }
                    Ok(true)
                })
                .await?;
            if !found {
                return Ok(rows);
            }
            rows += 1;
        }
    }
}
