//! Finding the session of a key.

use latchkey_db::Fault;

use super::{Key, KeyHash, LiveSession, Owner, Store};

impl<O: Owner> Store<O> {
    /// The live session of `key` with its owner: from memory while the lease holds, otherwise from the database. Notes
    /// its use, at most once every [`Policy::touch_every`](crate::Policy::touch_every).
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store, text: &str) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::Key;
    ///
    /// let Some(key) = Key::parse(text) else { return Ok(()) };
    /// match store.find(&key).await? {
    ///     Some(live) => println!("{} logged in at {:?}", live.record.principal, live.record.created_at),
    ///     None => println!("not logged in"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] of the database. The caller then knows nothing and must admit no one.
    pub async fn find(&self, key: &Key) -> Result<Option<LiveSession<O>>, Fault> {
        self.find_by_hash(key.hash()).await
    }

    /// The same for the text of a cookie. Needs no middleware and stores nothing in the request; see
    /// [`request::scope_with`](crate::request::scope_with).
    ///
    /// # Errors
    /// As [`Store::find`].
    pub async fn find_by_cookie(&self, raw: &str) -> Result<Option<LiveSession<O>>, Fault> {
        match KeyHash::of(raw) {
            Some(key) => self.find_by_hash(key).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn find_by_hash(&self, key: KeyHash) -> Result<Option<LiveSession<O>>, Fault> {
        let live = match self.find_cached(&key) {
            Some(live) => {
                self.shared.counts.hits.count();
                live
            }
            None => {
                self.count_miss();
                match self.load_session(key).await? {
                    Some(live) => live,
                    None => return Ok(None),
                }
            }
        };
        self.note_use(&live);
        Ok(Some(live))
    }

    /// Counts a lookup that the cache does not answer.
    pub(crate) fn count_miss(&self) {
        let counts = &self.shared.counts;
        if self.has_lease() { counts.misses.count() } else { counts.bypasses.count() }
    }

    /// Notes that the session is used now.
    pub(crate) fn note_use(&self, live: &LiveSession<O>) {
        if live.note_use(live.now, self.policy.touch_every(live.record.remember)) {
            self.shared.touches.note(live.record.handle, live.now);
            // The session is about to expire as unused, so this touch cannot wait for the next flush.
            if live.record.expires_at.since(live.now) < 2 * self.policy.flush_every() {
                self.flush_soon();
            }
        }
    }

    /// The lease is checked before the cache: what was announced in between has already been removed from the cache.
    fn find_cached(&self, key: &KeyHash) -> Option<LiveSession<O>> {
        let now = self.shared.lease.now()?;
        let cached = self.shared.cache.get(key)?;
        cached.is_current(now).then_some(LiveSession { cached, now })
    }
}
