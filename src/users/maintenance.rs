//! Upkeep: what has ended is deleted, a batch at a time, by one instance of however many. Called by `latchkey serve`
//! and `latchkey session sweep`.

use std::time::Duration;

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::db::Fault;
use crate::users::{Maintenance, queries};

/// Rows deleted in one transaction: short locks, little log at a time.
const BATCH: i64 = 5_000;

/// As it stands in the table.
const PURGE: &str = "tidy";

/// When upkeep was last done, by whichever instance.
#[derive(Clone, Copy, Debug)]
pub struct LastPurge {
    pub ended_at: OffsetDateTime,
    /// By the database's clock, as everything else here.
    pub ago: Duration,
    pub rows: i64,
}

/// Seeds of authenticator apps and waiting letters, by the secret that sealed them.
#[derive(Clone, Copy, Debug, Default)]
pub struct SealCounts {
    pub current: usize,
    pub previous: usize,
    pub unknown: usize,
}

impl Maintenance {
    /// Deletes people who left, sessions that ended long ago, and links, counters and events whose time is over, fills
    /// in missing keys of addresses, and seals anew what the secret before sealed. Answers how many rows that were. What another instance is just
    /// doing is left to it.
    pub async fn purge(&self) -> Result<usize, Fault> {
        let mut rows = self.users.delete_due_accounts().await? + self.sessions.sweep().await?;
        rows += self.login.notify_unfinished_logins().await?;
        // While instances are replaced, those of a version before this one write addresses without.
        rows += self.fill_idn_keys().await?.filled;
        for statement in queries::EXPIRED {
            rows += self.in_batches(|conn| queries::delete_expired(conn, statement, BATCH)).await?;
        }
        let forget_after = self.limits.forget_after.std();
        rows += self.in_batches(move |conn| queries::delete_counters(conn, forget_after, BATCH)).await?;
        if let Some(keep) = self.keep_audit_events {
            rows +=
                self.in_batches(move |conn| queries::forget_audit_events(conn, keep.std(), BATCH)).await?;
        }
        rows += self.factors.reseal_seeds().await?;
        let done = i64::try_from(rows).unwrap_or(i64::MAX);
        self.db
            .write(move |conn| {
                if queries::try_purge_lock(conn)? { queries::record_purge(conn, PURGE, done) } else { Ok(()) }
            })
            .await?;
        Ok(rows)
    }

    /// The same where nobody has done it for so long.
    pub async fn purge_when_due(&self, every: Duration) -> Result<Option<usize>, Fault> {
        match self.last_purge().await? {
            Some(last) if last.ago < every => Ok(None),
            _ => self.purge().await.map(Some),
        }
    }

    pub async fn last_purge(&self) -> Result<Option<LastPurge>, Fault> {
        self.db.read(|conn| queries::last_purge(conn, PURGE)).await
    }

    /// Which secret sealed what lies in the database.
    pub async fn seal_counts(&self) -> Result<SealCounts, Fault> {
        let (secret, mailer) = (self.secret.clone(), self.mailer.clone());
        let sealed = move |conn: &mut PgConnection| {
            let mut sealed = crate::factors::queries::sealed_seeds(conn, BATCH)?;
            sealed.extend(mailer.sealed(conn)?);
            Ok(sealed)
        };
        let mut seals = SealCounts::default();
        for sealed in self.db.read(sealed).await? {
            match secret.is_current_seal(&sealed) {
                Some(true) => seals.current += 1,
                Some(false) => seals.previous += 1,
                None => seals.unknown += 1,
            }
        }
        Ok(seals)
    }

    /// One transaction a batch, each under the lock that elects who does it; it goes with the transaction.
    async fn in_batches<F>(&self, delete: F) -> Result<usize, Fault>
    where
        F: Fn(&mut PgConnection) -> Result<usize, Fault> + Copy + Send + 'static,
    {
        let mut total = 0;
        loop {
            let gone = self
                .db
                .write(move |conn| if queries::try_purge_lock(conn)? { delete(conn) } else { Ok(0) })
                .await?;
            total += gone;
            // A batch that is not full was the last, whatever somebody else holds.
            if gone < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(total);
            }
        }
    }
}
