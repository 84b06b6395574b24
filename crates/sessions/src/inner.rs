//! What the clones of a store share.

use latchkey_db::counters::{Counter, Durations};

use super::Principal;
use super::batch_loader::BatchLoader;
use super::cache::Cache;
use super::interner::Interner;
use super::lease::Lease;
use super::listener_handle::ListenerHandle;
use super::record::CachedSession;
use super::session_list::SessionList;
use super::touches::Touches;

/// What all workers of an instance share.
pub(crate) struct StoreInner<O> {
    pub(crate) cache: Cache<CachedSession<O>>,
    pub(crate) lists: Cache<SessionList>,
    pub(crate) interner: Interner,
    pub(crate) lease: Lease,
    pub(crate) loader: BatchLoader<O>,
    pub(crate) touches: Touches,
    pub(crate) listener: ListenerHandle,
    pub(crate) counts: StoreCounters,
}

/// Metrics of a store since the start.
#[derive(Default)]
pub struct StoreCounters {
    /// Lookups answered from memory.
    pub hits: Counter,
    /// Lookups of sessions that were not in memory.
    pub misses: Counter,
    /// Lookups while the instance had no lease.
    pub bypasses: Counter,
    /// How long changes waited until no instance served the old state.
    pub invalidations: Durations,
    /// How many of these waited for leases to expire, because an instance did not answer.
    pub expiry_waits: Counter,
}

impl<O> StoreInner<O> {
    /// Evicts the cached sessions and lists of these principals.
    pub(crate) fn invalidate(&self, changed: &[Principal]) {
        self.cache.remove_all_of(changed);
        self.lists.remove_all_of(changed);
    }

    pub(crate) fn invalidate_everything(&self) {
        self.cache.clear();
        self.lists.clear();
    }
}
