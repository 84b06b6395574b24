//! An unfinished log-in: the password was correct, the second step was never completed. An attacker may know the
//! password, so the owner is notified (ASVS 5.0 6.3.5), at most once a day, and only if the browser is not a known device.
//!
//! The row is written with the pending log-in and deleted when the second step is completed. If the pending log-in ends in
//! any other way (expiry, wrong codes, "start again", a changed password), the row stays until it is due.

use crate::config::Span;
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::pending_login::PENDING_LIFETIME;
use crate::login::{Login, queries};
use crate::notices::Notice;
use crate::secret::TokenHash;
use crate::throttle;
use latchkey_sessions::SessionTx;

/// Rows per user: one is enough for the notice.
const MAX_UNFINISHED_LOGINS: i64 = 10;

impl Login {
    /// Records that a second step is due `within` this time. The caller has locked the user's row.
    pub(super) fn record_unfinished_login(
        &self,
        tx: &mut SessionTx<'_>,
        pending: &TokenHash,
        user: UserId,
        client: &Client,
        within: Span,
    ) -> Result<(), Fault> {
        let is_known = match &client.browser {
            Some(browser) => queries::is_known_device(tx, user, browser)?,
            None => false,
        };
        if is_known || !self.mailer.delivers() {
            return Ok(());
        }
        queries::insert_unfinished_login(tx, pending, user, client, within.std(), MAX_UNFINISHED_LOGINS)
    }

    /// Notifies the owners of log-ins whose second step is overdue; returns how many rows were processed. Each row is
    /// processed once, by one of several instances; after a crash, by the next run.
    pub async fn notify_unfinished_logins(&self) -> Result<usize, Fault> {
        let mut rows = 0;
        loop {
            let login = self.clone();
            let found = self
                .db
                .write(move |conn| {
                    let Some(overdue) = queries::take_overdue_login(conn)? else { return Ok(false) };
                    let user = overdue.user;
                    if let Some(owner) = crate::identity::queries::recipient(conn, user)?
                        && throttle::admit_missing_step_notice(conn, user, &login.throttle)?
                    {
                        let notice = Notice::SecondStepMissing { within: PENDING_LIFETIME };
                        login.notices.send_notice_at(conn, &owner, &notice, &overdue.client, overdue.at)?;
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
