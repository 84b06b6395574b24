//! Writes `last_seen_at`.

use super::{Owner, Store, queries};
use latchkey_db::Fault;

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

    /// Writes when sessions were used since the last flush, and returns how many rows changed. Ended sessions stay
    /// ended, and rows locked by another transaction are skipped: a rotation or revocation is more recent.
    /// [`Background`](crate::Background) calls this every [`Policy::flush_every`](crate::Policy::flush_every).
    ///
    /// # Errors
    /// A [`Fault`] of the database. What was not written is kept for the next flush.
    pub async fn flush_touches(&self) -> Result<usize, Fault> {
        let taken = self.shared.touches.take();
        let (mut written, mut failed) = (0, None);
        for batch in taken.chunks(BATCH) {
            let (policy, rows) = (self.policy, batch.to_vec());
            match self.db.write(move |conn| Ok(queries::touch(conn, &rows, &policy)?)).await {
                Ok(rows) => written += rows,
                // The other batches may still succeed.
                Err(fault) => {
                    batch.iter().for_each(|(handle, seen)| self.shared.touches.note(*handle, *seen));
                    failed = Some(fault);
                }
            }
        }
        failed.map_or(Ok(written), Err)
    }
}
