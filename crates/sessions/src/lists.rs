//! A principal's own list of sessions, cached and invalidated like the sessions themselves.

use std::sync::Arc;

use super::session_list::SessionList;
use super::{KeyHash, Owner, Principal, Store, queries};
use latchkey_db::Fault;

impl<O: Owner> Store<O> {
    /// The live sessions of `principal`, from the cache while the lease holds. `last_seen_at` may be out of date by
    /// [`Policy::touch_every`](crate::Policy::touch_every); everything else is as fresh as a session from [`Store::find`].
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::request;
    ///
    /// let Some(me) = request::loaded::<()>() else { return Ok(()) };
    /// for record in store.list_of(me.record.principal).await?.at(me.moment()) {
    ///     let here = if record.handle == me.record.handle { "this browser" } else { "" };
    ///     println!("{} {} {here}", record.login.user_agent, record.address);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] of the database.
    pub async fn list_of(&self, principal: Principal) -> Result<Arc<SessionList>, Fault> {
        let key = KeyHash::of_principal(principal);
        if let Some(now) = self.shared.lease.now()
            && let Some(list) = self.shared.lists.get(&key)
            && now.since(list.read_at) < self.policy.touch_every
        {
            return Ok(list);
        }
        let generation = self.shared.lists.generation();
        let limit = self.policy.per_principal;
        let (records, read_at) =
            self.db.read(move |conn| Ok(queries::list_of(conn, principal, limit)?)).await?;
        let list = Arc::new(SessionList { key, principal, records, read_at });
        self.shared.lists.insert(Arc::clone(&list), generation);
        Ok(list)
    }
}
