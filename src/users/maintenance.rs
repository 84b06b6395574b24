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
const TIDY: &str = "tidy";

/// When upkeep was last done, by whichever instance.
#[derive(Clone, Copy, Debug)]
pub struct Tidied {
    pub ended_at: OffsetDateTime,
    /// By the database's clock, as everything else here.
    pub ago: Duration,
    pub rows: i64,
}

/// Seeds of authenticator apps and waiting letters, by the secret that sealed them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seals {
    pub current: usize,
    pub previous: usize,
    pub unknown: usize,
}

impl Maintenance {
    /// Deletes people who left, sessions that ended long ago, and links, counters and events whose time is over, fills
    /// in missing keys of addresses, and seals anew what the secret before sealed. Answers how many rows that were. What another instance is just
    /// doing is left to it.
    pub async fn tidy(&self) -> Result<usize, Fault> {
        let mut rows = self.users.delete_the_gone().await? + self.sessions.sweep().await?;
        rows += self.login.tell_of_missing_steps().await?;
        // While instances are replaced, those of a version before this one write addresses without.
        rows += self.fill_idn_keys().await?.filled;
        for stale in queries::STALE {
            rows += self.in_batches(|conn| queries::delete_stale(conn, stale, BATCH)).await?;
        }
        let forget_after = self.limits.forget_after.std();
        rows += self.in_batches(move |conn| queries::delete_counters(conn, forget_after, BATCH)).await?;
        if let Some(keep) = self.keep_trail {
            rows += self.in_batches(move |conn| queries::forget_trail(conn, keep.std(), BATCH)).await?;
        }
        rows += self.factors.reseal_seeds().await?;
        let done = i64::try_from(rows).unwrap_or(i64::MAX);
        self.db
            .write(
                move |conn| {
                    if queries::may_tidy(conn)? { queries::note_upkeep(conn, TIDY, done) } else { Ok(()) }
                },
            )
            .await?;
        Ok(rows)
    }

    /// The same where nobody has done it for so long.
    pub async fn tidy_when_due(&self, every: Duration) -> Result<Option<usize>, Fault> {
        match self.last_tidied().await? {
            Some(last) if last.ago < every => Ok(None),
            _ => self.tidy().await.map(Some),
        }
    }

    pub async fn last_tidied(&self) -> Result<Option<Tidied>, Fault> {
        self.db.read(|conn| queries::upkeep(conn, TIDY)).await
    }

    /// Which secret sealed what lies in the database.
    pub async fn seals(&self) -> Result<Seals, Fault> {
        let (secret, mailer) = (self.secret.clone(), self.mailer.clone());
        let sealed = move |conn: &mut PgConnection| {
            let mut sealed = crate::factors::queries::seeds(conn, BATCH)?;
            sealed.extend(mailer.sealed(conn)?);
            Ok(sealed)
        };
        let mut seals = Seals::default();
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
                .write(move |conn| if queries::may_tidy(conn)? { delete(conn) } else { Ok(0) })
                .await?;
            total += gone;
            // A batch that is not full was the last, whatever somebody else holds.
            if gone < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(total);
            }
        }
    }
}
