//! Keys for which the database has no row, remembered for a short time, so that a program that keeps sending a wrong key
//! costs one query.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::KeyHash;

/// New keys are random, so no request can have sent one before its row existed. Only a restored backup can make a
/// remembered key valid; it is then found after this time.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

pub(super) struct UnknownKeys {
    known: Mutex<RememberedKeys>,
    capacity: usize,
}

#[derive(Default)]
struct RememberedKeys {
    /// When each key was looked up.
    keys: HashMap<KeyHash, Instant>,
    /// How often all keys were forgotten.
    generation: u64,
}

impl UnknownKeys {
    pub(super) fn new(capacity: usize) -> Self {
        Self { known: Mutex::default(), capacity }
    }

    pub(super) fn contains(&self, key: &KeyHash) -> bool {
        self.known().keys.get(key).is_some_and(is_recent)
    }

    /// To be taken before the rows are read.
    pub(super) fn generation(&self) -> u64 {
        self.known().generation
    }

    /// Remembers `keys`, unless all keys were forgotten since `seen` was taken.
    pub(super) fn insert(&self, keys: impl IntoIterator<Item = KeyHash>, seen: u64) {
        let mut known = self.known();
        if known.generation != seen || self.capacity == 0 {
            return;
        }
        for key in keys {
            if known.keys.len() >= self.capacity {
                known.keys.retain(|_, since| is_recent(since));
            }
            // Only after very many different keys, each of which cost its sender a request.
            if known.keys.len() >= self.capacity {
                known.keys.clear();
            }
            known.keys.insert(key, Instant::now());
        }
    }

    pub(super) fn clear(&self) {
        let mut known = self.known();
        known.keys.clear();
        known.generation += 1;
    }

    fn known(&self) -> MutexGuard<'_, RememberedKeys> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(since: &Instant) -> bool {
    since.elapsed() < REMEMBERED_FOR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> KeyHash {
        KeyHash::of_secret(&number.to_string())
    }

    #[test]
    fn a_key_is_remembered_for_a_while() {
        let keys = UnknownKeys::new(4);
        keys.insert([key(1)], keys.generation());
        assert!(keys.contains(&key(1)) && !keys.contains(&key(2)));
        let old = Instant::now().checked_sub(REMEMBERED_FOR).unwrap();
        keys.known().keys.insert(key(1), old);
        assert!(!keys.contains(&key(1)));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let keys = UnknownKeys::new(4);
        keys.insert((0..100).map(key), keys.generation());
        assert!(keys.known().keys.len() <= 4 && keys.contains(&key(99)));
        let none = UnknownKeys::new(0);
        none.insert([key(1)], none.generation());
        assert!(!none.contains(&key(1)));
    }

    #[test]
    fn a_key_that_was_looked_up_before_a_clear_is_not_remembered() {
        let keys = UnknownKeys::new(4);
        let seen = keys.generation();
        keys.clear();
        keys.insert([key(1)], seen);
        assert!(!keys.contains(&key(1)));
    }
}
