//! When sessions were used: recorded in memory during requests, written in batches later (`flush.rs`).

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Handle;
use latchkey_db::time::Moment;

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
    pub(super) fn take(&self) -> Vec<(Handle, Moment)> {
        let mut taken: Vec<_> = mem::take(&mut *self.noted()).into_iter().collect();
        taken.sort_unstable_by_key(|(handle, _)| handle.0);
        taken
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Handle, Moment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
