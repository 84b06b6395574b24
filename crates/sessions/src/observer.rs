//! Tells the application which principals changed, so that its own caches are as fresh as the sessions.

use std::sync::{Arc, PoisonError, RwLock};

use super::Principal;

/// What may have changed in the database.
#[derive(Clone, Copy, Debug)]
pub enum Changes<'a> {
    /// Something that belongs to these principals: a session, a scoped key, or cached data of the owner.
    Principals(&'a [Principal]),
    /// Anything.
    Everything,
}

/// Receives each change before it is acknowledged. Use it for data that the application caches under the store's lease,
/// and for connections that outlive the lookup of their session. See [`Store::observe`].
pub trait Observer: Send + Sync {
    /// The store has evicted `changes` from its caches. When this returns, the change may be acknowledged and the
    /// revocation answered. After that, the application must not serve anything that it read before this call.
    ///
    /// Called on the thread of the listener, and by [`Store::write`] after a log-in, so it must neither block nor panic.
    /// A log-in changes the principal, too: look the session up again before you end anything.
    fn invalidated(&self, changes: Changes<'_>);
}

/// The observers of a store.
#[derive(Default)]
pub(crate) struct Observers(RwLock<Vec<Arc<dyn Observer>>>);

impl Observers {
    pub(crate) fn tell(&self, changes: Changes<'_>) {
        let observers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        observers.iter().for_each(|observer| observer.invalidated(changes));
    }

    pub(crate) fn add(&self, observer: Arc<dyn Observer>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(observer);
    }
}
