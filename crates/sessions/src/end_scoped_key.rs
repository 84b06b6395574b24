//! Ends and lists scoped keys. When a session ends, the database deletes its scoped keys as well.

use diesel::pg::PgConnection;
use latchkey_db::Fault;
use uuid::Uuid;

use super::{Handle, KeyHash, Owner, Principal, ScopedKeyRecord, SessionTx, Store, queries};

impl<O: Owner> Store<O> {
    /// Ends the key `raw` of `scope`; `false` if there is none.
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store, wiki: uuid::Uuid, cookie: String) -> Result<(), latchkey_sessions::Fault> {
    /// let sessions = store.clone();
    /// let ended = store.write(move |tx| sessions.end_scoped_key(tx, &cookie, wiki)).await?;
    /// println!("{}", if ended { "left the wiki, on all instances" } else { "was not there" });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn end_scoped_key(&self, tx: &mut SessionTx<'_>, raw: &str, scope: Uuid) -> Result<bool, Fault> {
        let Some(key) = KeyHash::of(raw) else { return Ok(false) };
        tx.invalidates();
        Ok(queries::delete_scoped_key(tx, &key, scope)? > 0)
    }

    /// Ends the keys of one session, all or those of `scope`, and returns how many.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn end_scoped_keys_of_session(
        &self,
        tx: &mut SessionTx<'_>,
        session: Handle,
        scope: Option<Uuid>,
    ) -> Result<usize, Fault> {
        tx.invalidates();
        Ok(queries::delete_scoped_keys_of_session(tx, session, scope)?)
    }

    /// Ends the keys of all sessions of `principal`, and returns how many. The sessions stay.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn end_scoped_keys_of_principal(
        &self,
        tx: &mut SessionTx<'_>,
        principal: Principal,
    ) -> Result<usize, Fault> {
        tx.invalidates();
        Ok(queries::delete_scoped_keys_of_principal(tx, O::KIND, principal)?)
    }

    /// Ends all keys of `scope`, for a scope that is closed, and returns how many. Only the principals who had such a key
    /// are announced: instances keep what they have cached of the others.
    ///
    /// # Errors
    /// Those of the statements.
    pub fn end_scoped_keys_of_scope(&self, tx: &mut SessionTx<'_>, scope: Uuid) -> Result<usize, Fault> {
        tx.invalidates();
        Ok(queries::delete_scoped_keys_of_scope(tx, scope)?)
    }

    /// The keys of the live sessions of `principal`, last used first.
    ///
    /// # Errors
    /// Those of the query.
    pub fn scoped_keys(
        &self,
        conn: &mut PgConnection,
        principal: Principal,
    ) -> Result<Vec<ScopedKeyRecord>, Fault> {
        Ok(queries::list_scoped_keys(conn, O::KIND, principal)?)
    }
}
