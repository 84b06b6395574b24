//! Finding the session of a scoped key.

use latchkey_db::Fault;
use uuid::Uuid;

use super::{KeyHash, Owner, ScopedSession, Store, Use};

impl<O: Owner> Store<O> {
    /// The live session of the scoped key `raw`, if the key opens `scope`: from memory while the lease holds, otherwise
    /// from the database. A key of another scope, or the session's own key, is not found.
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store, wiki: uuid::Uuid, cookie: &str) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::Use;
    ///
    /// match store.find_scoped(cookie, wiki, Use::Counts).await? {
    ///     Some(entered) => println!("{} at {}", entered.live.record.principal, entered.origin),
    ///     None => println!("not logged in"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] of the database. The caller must then refuse the request.
    pub async fn find_scoped(
        &self,
        raw: &str,
        scope: Uuid,
        usage: Use,
    ) -> Result<Option<ScopedSession<O>>, Fault> {
        let Some(key) = KeyHash::of(raw) else { return Ok(None) };
        let found = match self.find_scoped_in_cache(&key, scope, usage) {
            Some(found) => {
                self.shared.counts.hits.count();
                found
            }
            None => {
                self.count_miss();
                self.read_scoped(key, scope, usage).await?
            }
        };
        if let (Some(found), Use::Counts) = (&found, usage) {
            self.note_use(&found.live);
        }
        Ok(found)
    }

    /// `None`: the key is not cached, or there is no lease. The lease is checked before the cache, as for sessions.
    fn find_scoped_in_cache(
        &self,
        key: &KeyHash,
        scope: Uuid,
        usage: Use,
    ) -> Option<Option<ScopedSession<O>>> {
        let now = self.shared.lease.now()?;
        let (found, is_due) = self.shared.scoped_keys.inspect(key, |cached| {
            if cached.scope() != scope {
                return Some((None, false));
            }
            let found = cached.session_at(now)?;
            let interval = self.policy.touch_every(found.live.record.remember);
            let is_due = usage == Use::Counts && cached.note_use(now, interval);
            Some((Some(found), is_due))
        })??;
        if is_due {
            self.shared.key_touches.note(*key, now);
        }
        Some(found)
    }

    async fn read_scoped(
        &self,
        key: KeyHash,
        scope: Uuid,
        usage: Use,
    ) -> Result<Option<ScopedSession<O>>, Fault> {
        let found = self.load_scoped(key).await?.filter(|found| found.place.scope == scope);
        let Some(found) = found else { return Ok(None) };
        if usage == Use::Counts {
            let (now, interval) = (found.live.now, self.policy.touch_every(found.live.record.remember));
            let noted = self.shared.scoped_keys.inspect(&key, |cached| cached.note_use(now, interval));
            // The key may not have been cached.
            if noted.unwrap_or_else(|| now.since(found.last_seen_at) >= interval) {
                self.shared.key_touches.note(key, now);
            }
        }
        Ok(Some(found.into_session()))
    }
}
