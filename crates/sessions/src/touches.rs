//! "Last seen": noted in memory while requests run, written for many sessions at once later.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Handle, Owner, Sessions, queries};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

/// Rows written in one statement: it holds their locks until it is through.
const AT_ONCE: usize = 1000;

/// Sessions seen since the last flush.
#[derive(Default)]
pub struct Touches(Mutex<HashMap<Handle, Moment>>);

impl Touches {
    pub fn note(&self, handle: Handle, seen: Moment) {
        let mut noted = self.noted();
        let last = noted.entry(handle).or_insert(seen);
        *last = seen.max(*last);
    }

    /// In one order for everybody, so that two who write the same rows do not wait for each other in a circle.
    fn take(&self) -> Vec<(Handle, Moment)> {
        let mut taken: Vec<_> = mem::take(&mut *self.noted()).into_iter().collect();
        taken.sort_unstable_by_key(|(handle, _)| handle.0);
        taken
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Handle, Moment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Owner> Sessions<O> {
    /// Flushes beside the request that cannot wait for it; what fails is left for the next time.
    pub(super) fn flush_soon(&self) {
        let sessions = self.clone();
        actix_web::rt::spawn(async move {
            let _ = sessions.flush_touches().await;
        });
    }

    /// Writes down which sessions were seen since the last time; answers how many rows that changed. Dead ones
    /// stay dead, and rows somebody else is writing are left alone: who rotates or ends a session knows better.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; what was not written is kept for the next time.
    pub async fn flush_touches(&self) -> Result<usize, Fault> {
        let taken = self.shared.touches.take();
        let (mut written, mut failed) = (0, None);
        for batch in taken.chunks(AT_ONCE) {
            let (policy, rows) = (self.policy, batch.to_vec());
            match self.db.write(move |conn| Ok(queries::touch(conn, &rows, &policy)?)).await {
                Ok(rows) => written += rows,
                // The others need not suffer for what is wrong with these.
                Err(fault) => {
                    batch.iter().for_each(|(handle, seen)| self.shared.touches.note(*handle, *seen));
                    failed = Some(fault);
                }
            }
        }
        failed.map_or(Ok(written), Err)
    }
}
