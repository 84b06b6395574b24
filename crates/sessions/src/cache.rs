//! A bounded map from key hash to cached entry, shared by all workers.
//!
//! The *fill race* is the one race of a cache in front of a database: a row is read; it changes and the change is
//! announced; then the old row is inserted and stays. Here every announcement first increments the [`Generation`] and
//! then removes the entries of its principal. An insert passes the generation that it took before it read, and is
//! refused if an announcement for its principal arrived since. `tests/loom` tries every interleaving.

use std::sync::Arc;

use hashbrown::HashTable;

use super::locks::{AtomicU64, Ordering, RwLock};
use super::{KeyHash, Principal};

/// What the cache needs to know about an entry.
pub trait Entry {
    fn key(&self) -> &KeyHash;
    fn principal(&self) -> Principal;
    /// Grows with use: of several entries, the one with the smallest value is evicted first.
    fn last_used(&self) -> i64;
}

impl<E: Entry> Entry for Arc<E> {
    fn key(&self) -> &KeyHash {
        (**self).key()
    }

    fn principal(&self) -> Principal {
        (**self).principal()
    }

    fn last_used(&self) -> i64 {
        (**self).last_used()
    }
}

/// How many announcements had been processed when this was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation(u64);

pub struct Cache<E> {
    generation: AtomicU64,
    /// For each slot of principals, the generation in which one of them last changed. With a single slot, a busy
    /// principal would keep all others out of the cache.
    changed: Box<[AtomicU64]>,
    /// Key hashes are uniformly random, so their bits choose the shard and the position in it.
    shards: Box<[RwLock<Shard<E>>]>,
    per_shard: usize,
}

/// `entries` and its two indexes, which change together under the lock of the shard.
struct Shard<E> {
    entries: Vec<E>,
    /// From key hash to position in `entries`.
    by_key: HashTable<u32>,
    /// From principal to positions in `entries`, so that removing them costs the same however full the shard is.
    by_principal: HashTable<u32>,
}

/// More shards than there are workers that could contend.
const SHARDS: usize = 64;

/// The least recently used of this many neighbours is evicted.
const CANDIDATES: usize = 8;

impl<E: Entry> Cache<E> {
    /// For about `capacity` entries; with 0 nothing is cached.
    pub fn new(capacity: usize) -> Self {
        Self::with_shards(capacity, SHARDS.min(capacity.max(1)))
    }

    pub fn with_shards(capacity: usize, shards: usize) -> Self {
        let empty =
            || Shard { entries: Vec::new(), by_key: HashTable::new(), by_principal: HashTable::new() };
        Self {
            generation: AtomicU64::new(0),
            changed: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            shards: (0..shards).map(|_| RwLock::new(empty())).collect(),
            per_shard: capacity.div_ceil(shards),
        }
    }

    pub fn get(&self, key: &KeyHash) -> Option<E>
    where
        E: Clone,
    {
        self.inspect(key, E::clone)
    }

    /// Passes the entry of `key` to `with` while the lock of its shard is held.
    pub fn inspect<T>(&self, key: &KeyHash, with: impl FnOnce(&E) -> T) -> Option<T> {
        let shard = read(self.shard(key));
        shard.position(key).map(|at| with(&shard.entries[at]))
    }

    /// To be taken *before* reading the row that will be inserted.
    pub fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    /// Inserts `entry`, unless a change of its principal may have been announced since `seen` was taken. Returns whether
    /// it was inserted.
    pub fn insert(&self, entry: E, seen: Generation) -> bool {
        if self.per_shard == 0 {
            return false;
        }
        let mut shard = write(self.shard(entry.key()));
        // Under the lock: an announcement that increments the generation after this check waits for the lock and
        // removes the entry.
        if self.last_change(entry.principal()).load(Ordering::SeqCst) > seen.0 {
            return false;
        }
        shard.put(entry, self.per_shard);
        true
    }

    /// Removes the entries of these principals, and refuses inserts of rows that were read before this call.
    pub fn remove_all_of(&self, changed: &[Principal]) {
        let begun = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        for principal in changed {
            self.last_change(*principal).fetch_max(begun, Ordering::SeqCst);
        }
        for shard in &self.shards {
            // Most shards have no entry of these principals. Their readers need not wait for a write lock.
            let held = {
                let shard = read(shard);
                changed.iter().any(|principal| shard.position_of(*principal).is_some())
            };
            if held {
                let mut shard = write(shard);
                changed.iter().for_each(|principal| shard.remove_of(*principal));
            }
        }
    }

    /// Removes all entries, and refuses inserts of rows that were read before this call.
    pub fn clear(&self) {
        let begun = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        for changed in &self.changed {
            changed.fetch_max(begun, Ordering::SeqCst);
        }
        for shard in &self.shards {
            write(shard).clear();
        }
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).entries.len()).sum()
    }

    fn last_change(&self, principal: Principal) -> &AtomicU64 {
        // A random byte of a version 4 UUID; its version and variant bits are elsewhere.
        &self.changed[usize::from(principal.0.as_bytes()[15]) % self.changed.len()]
    }

    fn shard(&self, key: &KeyHash) -> &RwLock<Shard<E>> {
        &self.shards[usize::from(key.as_bytes()[31]) % self.shards.len()]
    }
}

impl<E: Entry> Shard<E> {
    fn position(&self, key: &KeyHash) -> Option<usize> {
        let found = self.by_key.find(hash_of_key(key), |at| self.entries[*at as usize].key() == key);
        found.map(|at| *at as usize)
    }

    /// The position of one of the entries of `principal`.
    fn position_of(&self, principal: Principal) -> Option<usize> {
        let theirs = |at: &u32| self.entries[*at as usize].principal() == principal;
        self.by_principal.find(hash_of_principal(principal), theirs).map(|at| *at as usize)
    }

    fn put(&mut self, entry: E, capacity: usize) {
        if let Some(at) = self.position(entry.key()) {
            if self.entries[at].principal() == entry.principal() {
                self.entries[at] = entry;
                return;
            }
            self.remove(at);
        }
        if self.entries.len() >= capacity {
            self.evict_one(hash_of_key(entry.key()));
        }
        // Four billion entries do not fit into memory.
        let Ok(at) = u32::try_from(self.entries.len()) else { return };
        let (key, principal) = (hash_of_key(entry.key()), hash_of_principal(entry.principal()));
        if at as usize == self.entries.capacity() {
            // Doubling the capacity would waste up to the size of an entry for each entry.
            self.entries.reserve_exact(self.entries.len() / 4 + CANDIDATES);
        }
        self.entries.push(entry);
        let entries = &self.entries;
        self.by_key.insert_unique(key, at, |at| hash_of_key(entries[*at as usize].key()));
        self.by_principal
            .insert_unique(principal, at, |at| hash_of_principal(entries[*at as usize].principal()));
    }

    /// Evicts the least recently used of a few neighbours at a random position.
    fn evict_one(&mut self, anywhere: u64) {
        let count = self.entries.len();
        let start = usize::try_from(anywhere).unwrap_or_default() % count;
        let neighbours = (0..CANDIDATES.min(count)).map(|step| (start + step) % count);
        let oldest = neighbours.min_by_key(|at| self.entries[*at].last_used());
        if let Some(at) = oldest {
            self.remove(at);
        }
    }

    fn remove_of(&mut self, principal: Principal) {
        while let Some(at) = self.position_of(principal) {
            self.remove(at);
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.by_key.clear();
        self.by_principal.clear();
    }

    /// The last entry moves to the position of the removed one.
    fn remove(&mut self, at: usize) {
        let last = self.entries.len() - 1;
        self.reindex(at, None);
        if at != last {
            self.reindex(last, Some(at));
        }
        self.entries.swap_remove(at);
    }

    fn reindex(&mut self, from: usize, to: Option<usize>) {
        let to = to.and_then(|to| u32::try_from(to).ok());
        let entry = &self.entries[from];
        let hashes = [hash_of_key(entry.key()), hash_of_principal(entry.principal())];
        for (index, hash) in [&mut self.by_key, &mut self.by_principal].into_iter().zip(hashes) {
            if let Ok(mut found) = index.find_entry(hash, |at| *at as usize == from) {
                match to {
                    Some(to) => *found.get_mut() = to,
                    None => drop(found.remove()),
                }
            }
        }
    }
}

/// SHA-256 needs no further hashing.
fn hash_of_key(key: &KeyHash) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&key.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// Mixed, because an application may number its principals instead of drawing them at random.
fn hash_of_principal(principal: Principal) -> u64 {
    let (high, low) = principal.0.as_u64_pair();
    // 2^64 divided by the golden ratio: Fibonacci hashing.
    let mixed = (high ^ low.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

/// Nothing in this file panics while it holds a write lock, so the data behind a poisoned lock is intact.
fn read<T>(lock: &RwLock<T>) -> super::locks::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write<T>(lock: &RwLock<T>) -> super::locks::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
#[path = "cache/tests.rs"] // Also where other crates compile this file.
mod tests;
