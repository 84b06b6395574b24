//! What the clones of a store share.

use std::sync::Arc;

use latchkey_db::counters::{Counter, Durations};

use super::batch_loader::BatchLoader;
use super::cache::Cache;
use super::interner::Interner;
use super::lease::Lease;
use super::listener_handle::ListenerHandle;
use super::lookup::Lookup;
use super::observer::{Changes, Observers};
use super::record::CachedSession;
use super::record::LoginDetails;
use super::scoped_key::{CachedKey, KeyScope};
use super::session_list::SessionList;
use super::touches::Touches;
use super::write_touches::LeasedTouches;
use super::{Handle, KeyHash, Principal};

/// What all workers of an instance share.
pub(crate) struct StoreInner<O> {
    pub(crate) cache: Cache<Arc<CachedSession<O>>>,
    pub(crate) scoped_keys: Cache<CachedKey<O>>,
    pub(crate) lists: Cache<Arc<SessionList>>,
    pub(crate) logins: Interner<LoginDetails>,
    pub(crate) places: Interner<KeyScope>,
    pub(crate) lease: Lease,
    pub(crate) loader: BatchLoader<Lookup<O>>,
    pub(crate) touches: Touches<Handle>,
    pub(crate) key_touches: Touches<KeyHash>,
    pub(crate) leased_touches: LeasedTouches,
    pub(crate) observers: Observers,
    pub(crate) listener: ListenerHandle,
    pub(crate) counts: StoreCounters,
}

/// Metrics of a store since the start.
#[derive(Default)]
pub struct StoreCounters {
    /// Lookups answered from memory, by the session's key or by a scoped key.
    pub hits: Counter,
    /// Lookups of sessions and scoped keys that were not in memory.
    pub misses: Counter,
    /// Lookups while the instance had no lease.
    pub bypasses: Counter,
    /// How long changes waited until no instance served the old state.
    pub invalidations: Durations,
    /// How many of these waited for leases to expire, because an instance did not answer.
    pub expiry_waits: Counter,
}

impl<O> StoreInner<O> {
    /// Evicts the cached sessions and scoped keys of these principals, then notifies the observers.
    ///
    /// Sessions are evicted before scoped keys, because a lookup of a key may take its session from the cache. In the
    /// other order, a key could be cached after the keys were evicted, with a session that is about to be evicted.
    pub(crate) fn invalidate(&self, changed: &[Principal]) {
        self.cache.remove_all_of(changed);
        self.lists.remove_all_of(changed);
        self.scoped_keys.remove_all_of(changed);
        self.observers.tell(Changes::Principals(changed));
    }

    /// The same for all principals.
    pub(crate) fn invalidate_everything(&self) {
        self.cache.clear();
        self.lists.clear();
        self.scoped_keys.clear();
        self.observers.tell(Changes::Everything);
    }
}
