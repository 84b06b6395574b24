//! Opens scoped keys of a session.

use latchkey_db::Fault;
use latchkey_db::time::Moment;
use uuid::Uuid;

use super::{Handle, Key, Owner, SessionTx, Store, queries};

/// Most keys of one session, scope and origin. A browser needs one; it opens another one if it lost its cookie. Opening
/// a few more ends a stolen key.
const MAX_KEYS: i64 = 4;

impl<O: Owner> Store<O> {
    /// Creates a key of `session` that opens `scope`, in the caller's transaction. The application gives it to the
    /// browser on `origin`. `proved_at`: when the owner last proved their identity, such as the session's
    /// [`confirmed_at`](crate::SessionRecord::confirmed_at).
    ///
    /// If the session then has more than four keys for this scope and origin, the oldest ones end. `None`: the session
    /// has ended, and nothing was written. The session stays locked until the end of the transaction, so that it cannot
    /// be revoked before the key exists, and its keys end with it.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     store: latchkey_sessions::Store, live: latchkey_sessions::LiveSession<()>, wiki: uuid::Uuid,
    /// # ) -> Result<(), latchkey_sessions::Fault> {
    /// let (opener, record) = (store.clone(), live.record.clone());
    /// let opened = store.write(move |tx| {
    ///     // … note on `tx` that the owner entered the wiki …
    ///     opener.open_scoped_key(tx, record.handle, wiki, "https://wiki.example.org", record.confirmed_at)
    /// });
    /// if let Some(key) = opened.await? {
    ///     println!("__Host-wiki={}", key.reveal());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statements.
    pub fn open_scoped_key(
        &self,
        tx: &mut SessionTx<'_>,
        session: Handle,
        scope: Uuid,
        origin: &str,
        proved_at: Moment,
    ) -> Result<Option<Key>, Fault> {
        if !queries::lock_live(tx, O::KIND, session)? {
            return Ok(None);
        }
        let key = Key::generate()?;
        // Before the insertion, because rows with the same time have no order.
        if queries::delete_oldest_scoped_keys(tx, session, scope, origin, MAX_KEYS - 1)? > 0 {
            tx.invalidates();
        }
        queries::insert_scoped_key(tx, &key.hash(), session, scope, origin, proved_at)?;
        Ok(Some(key))
    }
}
