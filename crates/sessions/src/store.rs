//! The store. Its operations are in the files named after them.

use std::sync::Arc;

use latchkey_db::Db;
use latchkey_db::time::Moment;

use super::inner::{StoreCounters, StoreInner};
use super::{Owner, Policy};

/// The sessions of one application: the session store of actix-session, with additional operations. Cloning shares the
/// pool and the cache.
pub struct Store<O: Owner = ()> {
    pub(crate) db: Db,
    pub(crate) policy: Policy,
    /// Whether an instance may have cached these sessions, so that a change must be waited for.
    pub(crate) cacheable: bool,
    pub(crate) shared: Arc<StoreInner<O>>,
}

impl<O: Owner> Clone for Store<O> {
    fn clone(&self) -> Self {
        let Self { policy, cacheable, .. } = *self;
        Self { db: self.db.clone(), policy, cacheable, shared: Arc::clone(&self.shared) }
    }
}

impl<O: Owner> Store<O> {
    /// The pool that the store uses.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Metrics since the start.
    pub fn counts(&self) -> &StoreCounters {
        &self.shared.counts
    }

    /// How many sessions are in memory.
    pub fn cached(&self) -> usize {
        self.shared.cache.len()
    }

    /// How many scoped keys are in memory.
    pub fn cached_keys(&self) -> usize {
        self.shared.scoped_keys.len()
    }

    /// The database's time, while the instance has a lease. `None`: nothing that was cached earlier may be served,
    /// neither by the store nor by the application (see [`Store::observe`]). Call this *before* you read from a cache.
    pub fn lease_moment(&self) -> Option<Moment> {
        self.shared.lease.now()
    }

    /// Whether sessions are served from memory. `false` until the listener has received a message from itself, and
    /// after its connection broke.
    pub fn has_lease(&self) -> bool {
        self.shared.lease.now().is_some()
    }
}
