//! `last_seen_at`: noted in memory during requests, written for many sessions at once later.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Handle, Owner, Store, queries};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

/// Rows in one statement, which holds their locks until it ends.
const BATCH: usize = 1000;

/// The sessions used since the last flush, and when.
#[derive(Default)]
pub(crate) struct Touches(Mutex<HashMap<Handle, Moment>>);

impl Touches {
    pub(crate) fn note(&self, handle: Handle, seen: Moment) {
        let mut noted = self.noted();
        let last = noted.entry(handle).or_insert(seen);
        *last = seen.max(*last);
    }

    /// In the order of the handles, so that two instances that write the same rows do not deadlock.
    fn take(&self) -> Vec<(Handle, Moment)> {
        let mut taken: Vec<_> = mem::take(&mut *self.noted()).into_iter().collect();
        taken.sort_unstable_by_key(|(handle, _)| handle.0);
        taken
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Handle, Moment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Owner> Store<O> {
    /// Flushes without making the request wait. What fails is written by the next flush.
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
