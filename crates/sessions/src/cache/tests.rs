//! Compares the cache with a list, and tests each of its guarantees on its own.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::*;

struct TestEntry(KeyHash, Principal, i64);

impl Entry for TestEntry {
    fn key(&self) -> &KeyHash {
        &self.0
    }
    fn principal(&self) -> Principal {
        self.1
    }
    fn last_used(&self) -> i64 {
        self.2
    }
}

fn key(number: u32) -> KeyHash {
    KeyHash::new(Sha256::digest(number.to_le_bytes()).into())
}

fn entry(number: u32, owner: u128, used: i64) -> Arc<TestEntry> {
    Arc::new(TestEntry(key(number), Principal(Uuid::from_u128(owner)), used))
}

#[test]
fn an_entry_is_found_until_its_principal_is_removed() {
    let cache = Cache::new(1000);
    for number in 0..500 {
        assert!(cache.insert(entry(number, u128::from(number % 7), 0), cache.generation()));
    }
    cache.remove_all_of(&[Principal(Uuid::from_u128(3))]);
    for number in 0..500 {
        assert_eq!(cache.get(&key(number)).is_some(), number % 7 != 3, "{number}");
    }
    cache.clear();
    assert_eq!(cache.len(), 0);
    assert!(cache.get(&key(0)).is_none());
}

#[test]
fn a_row_read_before_an_announcement_is_not_cached_after_it() {
    let cache = Cache::new(10);
    let seen = cache.generation();
    cache.remove_all_of(&[Principal(Uuid::from_u128(1))]);
    assert!(!cache.insert(entry(1, 1, 0), seen) && cache.get(&key(1)).is_none());
}

#[test]
fn a_full_cache_keeps_its_size_and_the_entries_in_use() {
    let cache = Cache::with_shards(100, 1);
    for number in 0..10_000 {
        // Some are in use, the others were seen once.
        let used = if number % 500 == 0 { i64::MAX } else { i64::from(number) };
        cache.insert(entry(number, 1, used), cache.generation());
        assert!(cache.len() <= 100);
    }
    assert_eq!(cache.len(), 100);
    let in_use = (0..10_000).step_by(500).filter(|number| cache.get(&key(*number)).is_some()).count();
    assert!(in_use > 18, "{in_use} of 20 in use are kept");
}

/// The model of a cache with one shard.
type Naive = Vec<Arc<TestEntry>>;

#[derive(Clone, Debug)]
enum CacheStep {
    Insert(u32, u128, i64),
    Forget(Vec<u128>),
    Clear,
}

fn step() -> impl Strategy<Value = CacheStep> {
    prop_oneof![
        8 => (0_u32..40, 0_u128..6, 0_i64..100).prop_map(|(key, owner, used)| CacheStep::Insert(key, owner, used)),
        2 => prop::collection::vec(0_u128..6, 1..3).prop_map(CacheStep::Forget),
        1 => Just(CacheStep::Clear),
    ]
}

proptest! {
    #[test]
    fn it_behaves_like_a_list_and_both_indexes_agree(
        steps in prop::collection::vec(step(), 1..120),
        capacity in 1_usize..24,
    ) {
        let cache = Cache::with_shards(capacity, 1);
        let mut naive = Naive::new();
        for step in steps {
            match step {
                CacheStep::Insert(number, owner, used) => {
                    let entry = entry(number, owner, used);
                    prop_assert!(cache.insert(Arc::clone(&entry), cache.generation()));
                    naive.retain(|other| other.0 != entry.0);
                    naive.push(entry);
                    // The cache chooses which entry it evicts.
                    let held = &read(&cache.shards[0]).entries;
                    let before = naive.len();
                    naive.retain(|entry| held.iter().any(|other| Arc::ptr_eq(other, entry)));
                    prop_assert_eq!(before - naive.len(), usize::from(before > capacity));
                }
                CacheStep::Forget(owners) => {
                    let owners: Vec<_> =
                        owners.iter().map(|owner| Principal(Uuid::from_u128(*owner))).collect();
                    cache.remove_all_of(&owners);
                    naive.retain(|entry| !owners.contains(&entry.1));
                }
                CacheStep::Clear => {
                    cache.clear();
                    naive.clear();
                }
            }
            check(&read(&cache.shards[0]), &naive)?;
        }
    }
}

fn check(shard: &Shard<Arc<TestEntry>>, naive: &[Arc<TestEntry>]) -> Result<(), TestCaseError> {
    let count = naive.len();
    let indexed = (shard.by_key.len(), shard.by_principal.len());
    prop_assert_eq!((shard.entries.len(), indexed), (count, (count, count)));
    for entry in naive {
        let at = shard.position(&entry.0);
        prop_assert!(at.is_some_and(|at| Arc::ptr_eq(&shard.entries[at], entry)));
    }
    for owner in 0..6 {
        let owner = Principal(Uuid::from_u128(owner));
        let mut indexed: Vec<usize> = shard
            .by_principal
            .iter_hash(hash_of_principal(owner))
            .map(|at| *at as usize)
            .filter(|at| shard.entries[*at].1 == owner)
            .collect();
        indexed.sort_unstable();
        let listed: Vec<usize> = (0..count).filter(|at| shard.entries[*at].1 == owner).collect();
        prop_assert_eq!(indexed, listed);
    }
    Ok(())
}

#[test]
fn a_cache_without_capacity_caches_nothing() {
    let cache = Cache::new(0);
    assert!(!cache.insert(entry(1, 1, 0), cache.generation()) && cache.get(&key(1)).is_none());
    cache.remove_all_of(&[Principal(Uuid::from_u128(1))]);
}
