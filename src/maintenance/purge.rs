//! Maintenance: deletes expired rows in batches, by one instance at a time. Called by `latchkey serve` and `latchkey
//! session sweep`.

use std::time::Duration;

use diesel::pg::PgConnection;

use crate::db::Fault;
use crate::maintenance::queries::LastPurge;
use crate::maintenance::{Maintenance, queries};

/// Rows deleted in one transaction: locks stay short, and the write-ahead log of each is small.
const BATCH: i64 = 5_000;

/// The name of the row in `upkeep`.
const PURGE: &str = "tidy";

/// How many seeds of authenticator apps and queued emails each secret has sealed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SealCounts {
    pub current: usize,
    pub previous: usize,
    pub unknown: usize,
}

impl Maintenance {
    /// Deletes users whose deletion is due, sessions that ended long ago, and expired links, counters and events; fills in
    /// missing keys of addresses; reseals seeds that the previous secret sealed. Returns the number of rows. Skips what
    /// another instance is doing at the moment.
    pub async fn purge(&self) -> Result<usize, Fault> {
        let mut rows = self.users.delete_due_accounts().await? + self.sessions.sweep().await?;
        rows += self.login.notify_unfinished_logins().await?;
        // During an upgrade, instances of the older version write addresses without keys.
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

    /// Purges unless an instance did so within `every`.
    pub async fn purge_when_due(&self, every: Duration) -> Result<Option<usize>, Fault> {
        match self.last_purge().await? {
            Some(last) if last.ago < every => Ok(None),
            _ => self.purge().await.map(Some),
        }
    }

    pub async fn last_purge(&self) -> Result<Option<LastPurge>, Fault> {
        self.db.read(|conn| queries::last_purge(conn, PURGE)).await
    }

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

    /// One transaction per batch, each under the advisory lock that elects one instance.
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
            // A batch that is not full was the last one.
            if gone < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(total);
            }
        }
    }
}
