//! Builds a store.

use std::marker::PhantomData;
use std::sync::Arc;

use latchkey_db::{Db, PoolSettings};

use super::batch_loader::BatchLoader;
use super::cache::Cache;
use super::inner::{StoreCounters, StoreInner};
use super::interner::Interner;
use super::lease::Lease;
use super::listener_handle::ListenerHandle;
use super::observer::Observers;
use super::session_list::MAX_LISTS;
use super::touches::Touches;
use super::write_touches::LeasedTouches;
use super::{Background, Owner, Policy, Store};

/// Builds a [`Store`]; see [`Store::builder`].
pub struct Builder<O: Owner = ()> {
    db: Db,
    policy: Policy,
    cacheable: bool,
    owner: PhantomData<O>,
}

impl<O: Owner> Builder<O> {
    /// The clocks and limits; [`Policy::default`] otherwise.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// What is read about the principal with each session; nothing otherwise.
    pub fn owner<P: Owner>(self) -> Builder<P> {
        let Self { db, policy, cacheable, .. } = self;
        Builder { db, policy, cacheable, owner: PhantomData }
    }

    /// For sessions of a [kind](Owner::KIND) that no instance caches: a change takes effect when it is committed, and
    /// [`Store::write`] waits for nothing else.
    pub fn uncached(self) -> Self {
        Self { cacheable: false, ..self }
    }

    /// The store alone, for commands that run once and for applications whose database is not ready yet. Until
    /// [`Store::start_background`] is called, every lookup queries the database and `last_seen_at` is not written.
    pub fn build(self) -> Store<O> {
        let Self { db, policy, cacheable, .. } = self;
        let shared = StoreInner {
            cache: Cache::new(policy.cached),
            scoped_keys: Cache::new(policy.cached),
            lists: Cache::new(policy.cached.min(MAX_LISTS)),
            logins: Interner::default(),
            places: Interner::default(),
            lease: Lease::none(),
            loader: BatchLoader::default(),
            touches: Touches::default(),
            key_touches: Touches::default(),
            leased_touches: LeasedTouches::default(),
            observers: Observers::default(),
            listener: ListenerHandle::default(),
            counts: StoreCounters::default(),
        };
        Store { db, policy, cacheable, shared: Arc::new(shared) }
    }

    /// The store and its background work. Call it inside an actix runtime.
    ///
    /// # Panics
    /// Outside an actix runtime.
    pub fn spawn(self) -> (Store<O>, Background) {
        let store = self.build();
        let background = store.start_background();
        (store, background)
    }
}

impl Store {
    /// Begins to build a store on the database at `url` (libpq syntax), with a pool of its own.
    ///
    /// ```no_run
    /// # async fn example() {
    /// let (store, background) = latchkey_sessions::Store::on("postgresql://localhost/shop").spawn();
    /// # }
    /// ```
    pub fn on(url: &str) -> Builder {
        Self::builder(Db::new(url, PoolSettings::default()))
    }

    /// Begins to build a store on `db`.
    ///
    /// ```no_run
    /// # async fn example() {
    /// use latchkey_sessions::{Db, Policy, PoolSettings, Store};
    ///
    /// let db = Db::new("postgresql://localhost/shop", PoolSettings::default());
    /// let (store, background) = Store::builder(db).policy(Policy::default()).spawn();
    /// # }
    /// ```
    pub fn builder(db: Db) -> Builder {
        Builder { db, policy: Policy::default(), cacheable: true, owner: PhantomData }
    }
}
