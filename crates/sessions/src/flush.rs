//! Writes `last_seen_at`.

use std::hash::Hash;

use diesel::pg::PgConnection;
use latchkey_db::Fault;
use latchkey_db::time::Moment;

use super::touches::Touches;
use super::{Owner, Store, queries};

/// Rows in one statement; it holds their locks until it ends.
const BATCH: usize = 1000;

impl<O: Owner> Store<O> {
    /// Flushes without delaying the request. If it fails, the next flush writes the touches.
    pub(super) fn flush_soon(&self) {
        let store = self.clone();
        actix_web::rt::spawn(async move {
            let _ = store.flush_touches().await;
        });
    }

    /// Writes when sessions and scoped keys were last used, and returns how many rows changed. Ended
    /// sessions stay ended, and rows locked by another transaction are skipped: a rotation or revocation is more
    /// recent. [`Background`](crate::Background) calls this every [`Policy::flush_every`](crate::Policy::flush_every).
    ///
    /// # Errors
    /// A [`Fault`] of the database. What was not written is kept for the next flush.
    pub async fn flush_touches(&self) -> Result<usize, Fault> {
        let policy = self.policy;
        let sessions =
            self.flush_rows(&self.shared.touches, move |conn, rows| Ok(queries::touch(conn, rows, &policy)?));
        let keys = self
            .flush_rows(&self.shared.key_touches, |conn, rows| Ok(queries::touch_scoped_keys(conn, rows)?));
        // The keys are written even if writing the sessions failed.
        let (sessions, keys) = (sessions.await, keys.await);
        Ok(sessions? + keys?)
    }

    async fn flush_rows<K, W>(&self, touches: &Touches<K>, write: W) -> Result<usize, Fault>
    where
        K: Copy + Eq + Hash + Ord + Send + 'static,
        W: Fn(&mut PgConnection, &[(K, Moment)]) -> Result<usize, Fault> + Copy + Send + 'static,
    {
        let taken = touches.take();
        let (mut written, mut failed) = (0, None);
        for batch in taken.chunks(BATCH) {
            let rows = batch.to_vec();
            match self.db.write(move |conn| write(conn, &rows)).await {
                Ok(rows) => written += rows,
                // The other batches may still succeed.
                Err(fault) => {
                    batch.iter().for_each(|(row, seen)| touches.note(*row, *seen));
                    failed = Some(fault);
                }
            }
        }
        failed.map_or(Ok(written), Err)
    }
}
