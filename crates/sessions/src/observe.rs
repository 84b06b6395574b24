//! Registering an observer with a store.

use std::sync::Arc;

use super::{Observer, Owner, Store};

impl<O: Owner> Store<O> {
    /// Tells `observer` of every change from now on. What it caches is valid only while [`Store::lease_moment`] returns
    /// a moment: without a lease no change is received, and none waits for this instance. The
    /// store keeps its observers, so an observer must not own the store.
    ///
    /// ```no_run
    /// # fn example(store: latchkey_sessions::Store) {
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use latchkey_sessions::{Changes, Observer};
    ///
    /// /// Counts up with each change: what was computed at another count is computed again.
    /// #[derive(Default)]
    /// struct Epoch(AtomicU64);
    ///
    /// impl Observer for Epoch {
    ///     fn invalidated(&self, _: Changes<'_>) {
    ///         self.0.fetch_add(1, Ordering::SeqCst);
    ///     }
    /// }
    ///
    /// store.observe(Arc::new(Epoch::default()));
    /// # }
    /// ```
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        self.shared.observers.add(observer);
    }
}
