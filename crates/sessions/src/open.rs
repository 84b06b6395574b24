//! Opens sessions, and gives them new keys.

use actix_session::Session;
use latchkey_db::Fault;

use super::{Handle, Key, LiveSession, NewSession, Owner, SessionTx, Store, queries, request};

impl<O: Owner> Store<O> {
    /// Opens a session in the caller's transaction, so that it is committed or rolled back with the log-in. Give the key to
    /// the browser with [`request::log_in`] or [`request::issue_key`].
    ///
    /// ```no_run
    /// # use actix_session::Session;
    /// # async fn example(store: latchkey_sessions::Store, session: Session, user: uuid::Uuid) -> actix_web::Result<()> {
    /// use actix_web::error::ErrorServiceUnavailable;
    /// use latchkey_sessions::{NewSession, Principal, request};
    ///
    /// let opener = store.clone();
    /// let opened = store.write(move |tx| {
    ///     // … write the audit event on `tx` …
    ///     opener.open(tx, &NewSession::new(Principal(user), "password"))
    /// });
    /// let (key, _handle) = opened.await.map_err(ErrorServiceUnavailable)?;
    /// request::log_in(&session, Principal(user), key, None)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn open(&self, tx: &mut SessionTx<'_>, login: &NewSession) -> Result<(Key, Handle), Fault> {
        self.open_counting(tx, login).map(|(key, handle, _)| (key, handle))
    }

    /// Opens a session in its own transaction and gives the browser its key, for applications that write nothing else
    /// at a log-in. Returns its handle.
    ///
    /// # Errors
    /// A [`Fault`] of the database.
    pub async fn log_in(&self, session: &Session, login: NewSession) -> Result<Handle, Fault> {
        let lifetime = login.remember.then(|| self.policy.absolute(true));
        let (store, principal) = (self.clone(), login.principal);
        let (key, handle) = self.write(move |tx| store.open(tx, &login)).await?;
        request::log_in(session, principal, key, lifetime).map_err(Fault::bug)?;
        Ok(handle)
    }

    /// The same as [`Store::open`], and how many of the oldest sessions ended because of [`Policy::per_principal`](crate::Policy::per_principal).
    ///
    /// # Errors
    /// Those of the statements.
    pub fn open_counting(
        &self,
        tx: &mut SessionTx<'_>,
        login: &NewSession,
    ) -> Result<(Key, Handle, usize), Fault> {
        let key = Key::generate()?;
        let life = self.policy.idle(login.remember).min(self.policy.absolute(login.remember));
        let handle = queries::insert(tx, O::KIND, &key.hash(), login, life)?;
        tx.opened(login.principal);
        let ended = queries::revoke_oldest(tx, login.principal, self.policy.per_principal)?;
        if ended > 0 {
            tx.invalidates();
        }
        Ok((key, handle, ended))
    }

    /// Gives `live` a new key in the caller's transaction; the handle and the absolute limit stay. With `confirmed`,
    /// the owner has just proven their identity again.
    ///
    /// One conditional statement: of two parallel rotations one succeeds, and a revocation always wins. `None`: the
    /// session has ended or has another key, and nothing was written.
    ///
    /// ```no_run
    /// # use actix_session::Session;
    /// # async fn example(store: latchkey_sessions::Store, session: Session) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::request;
    ///
    /// let Some(live) = request::loaded::<()>() else { return Ok(()) };
    /// let rotator = store.clone();
    /// if let Some(key) = store.write(move |tx| rotator.rotate(tx, &live, true)).await? {
    ///     request::rotated(&session, key);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn rotate(
        &self,
        tx: &mut SessionTx<'_>,
        live: &LiveSession<O>,
        confirmed: bool,
    ) -> Result<Option<Key>, Fault> {
        let key = Key::generate()?;
        let remember = live.record.remember;
        let (idle, absolute) = (self.policy.idle(remember), self.policy.absolute(remember));
        let rotated =
            queries::rotate(tx, live.record.handle, &live.key_hash, &key.hash(), confirmed, idle, absolute)?;
        if rotated {
            tx.invalidates();
        }
        Ok(rotated.then_some(key))
    }
}
