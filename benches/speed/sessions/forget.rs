//! What a log-in costs its worker besides the hash: the principal's count of sessions changes, so their cached sessions
//! are evicted. Uses `crates/sessions/src/cache.rs` itself, with a full cache.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use latchkey_sessions::Principal;
use uuid::Uuid;

use crate::report::Report;

#[allow(dead_code, unused_imports)] // Its unit tests run elsewhere.
#[path = "../../../crates/sessions/src/cache.rs"]
mod cache;

/// What the cache imports from its module.
mod locks {
    pub use std::sync::atomic::{AtomicU64, Ordering};
    pub use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
}

/// The module's own can only be created there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    #[allow(dead_code)] // Used by the file's unit tests.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As large as a session record, so that accessing one costs the same.
struct CachedRecord(KeyHash, Principal, [u64; 24]);

impl cache::Entry for CachedRecord {
    fn key(&self) -> &KeyHash {
        &self.0
    }

    fn principal(&self) -> Principal {
        self.1
    }

    fn last_used(&self) -> i64 {
        i64::try_from(self.2[0]).unwrap_or_default()
    }
}

const LOG_INS: usize = 2000;

pub fn measure(report: &mut Report) {
    for (count, key) in [(100_000, "log_in_forgets_us_100k"), (1_000_000, "log_in_forgets_us_1m")] {
        let cache = cache::Cache::new(2 * count);
        let held: Vec<Arc<CachedRecord>> = (0..count as u64)
            .map(|number| {
                let hash = latchkey::secret::sha256(&number.to_le_bytes());
                Arc::new(CachedRecord(KeyHash(hash), Principal(Uuid::new_v4()), [number; 24]))
            })
            .collect();
        for entry in &held {
            cache.insert(Arc::clone(entry), cache.generation());
        }
        assert_eq!(cache.len(), count);
        let name = format!("a log-in forgets its principal, {count} sessions in memory");
        for round in 0..report.rounds() {
            let mut times = Vec::with_capacity(LOG_INS);
            for log_in in 0..LOG_INS {
                let entry = &held[(round * LOG_INS + log_in) * 7919 % count];
                let begun = Instant::now();
                cache.remove_all_of(black_box(&[entry.1]));
                times.push(begun.elapsed().as_secs_f64() * 1e6);
                cache.insert(Arc::clone(entry), cache.generation());
            }
            times.sort_unstable_by(f64::total_cmp);
            report.note(&name, "µs", times[LOG_INS / 2]);
            report.note(&name, "µs p99", times[LOG_INS * 99 / 100]);
        }
        report.value(key, report.median(&name, "µs"));
    }
}
