//! When sessions and scoped keys were used: recorded in memory during requests, written in batches later (`flush.rs`).

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_db::time::Moment;

/// The rows used since the last flush, and when: sessions by their handle, scoped keys by their hash.
pub(crate) struct Touches<K>(Mutex<HashMap<K, Moment>>);

impl<K> Default for Touches<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash + Ord> Touches<K> {
    pub(crate) fn note(&self, row: K, seen: Moment) {
        let mut noted = self.noted();
        let last = noted.entry(row).or_insert(seen);
        *last = seen.max(*last);
    }

    /// In the order of the ids, so that two instances that write the same rows do not deadlock.
    pub(super) fn take(&self) -> Vec<(K, Moment)> {
        let mut taken: Vec<_> = mem::take(&mut *self.noted()).into_iter().collect();
        taken.sort_unstable_by_key(|(row, _)| *row);
        taken
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<K, Moment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
