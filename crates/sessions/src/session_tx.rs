//! A transaction that ends or changes sessions, and the wait until no instance serves the old state.

use std::ops::{Deref, DerefMut};

use diesel::Connection as _;
use diesel::pg::PgConnection;
use latchkey_db::{Failed, Fault, Refusable as _};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::lease::{BootInstant, MAX_LEASE};
use super::listener_handle::ListenerCommand;
use super::{Owner, Principal, Store, queries};

/// The transaction of [`Store::write`], which alone creates one, and which waits after the commit. Every operation that
/// ends or changes sessions takes one, so a caller cannot forget to wait:
///
/// ```compile_fail,E0451
/// # fn caller(conn: &mut diesel::pg::PgConnection) {
/// let tx = latchkey_sessions::SessionTx { conn, invalidates: false, opened: Vec::new() };
/// # }
/// ```
///
/// ```compile_fail,E0308
/// # fn caller(store: &latchkey_sessions::Store, conn: &mut diesel::pg::PgConnection, handle: latchkey_sessions::Handle) {
/// store.revoke(conn, handle, None);
/// # }
/// ```
///
/// It dereferences to the connection, for the application's own statements. If one of them changes what is cached with a
/// session (the owner), take a `&mut SessionTx` there and call [`SessionTx::invalidates`].
pub struct SessionTx<'c> {
    conn: &'c mut PgConnection,
    invalidates: bool,
    opened: Vec<Principal>,
}

impl SessionTx<'_> {
    /// This transaction changes what instances may have cached: [`Store::write`] returns when none serves it any more.
    pub fn invalidates(&mut self) {
        self.invalidates = true;
    }

    /// A session of `principal` was opened. That revokes nothing, but changes the count beside their other sessions.
    pub(super) fn opened(&mut self, principal: Principal) {
        self.opened.push(principal);
    }
}

impl Deref for SessionTx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.conn
    }
}

impl DerefMut for SessionTx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn
    }
}

/// What a transaction of [`Store::write_on`] has changed may still be in the memory of instances.
#[must_use = "until `wait` returns, other instances may serve the old state"]
pub struct PendingInvalidation {
    invalidates: bool,
}

impl PendingInvalidation {
    /// Returns when no instance serves the state from before the transaction.
    pub async fn wait<O: Owner>(self, store: &Store<O>) {
        if self.invalidates {
            store.wait_until_invalidated().await;
        }
    }
}

impl<O: Owner> Store<O> {
    /// Runs `work` in one transaction, as [`Db::write`](latchkey_db::Db::write) does. After it returns, no request that
    /// starts, on any instance, is served from data that was read before the commit.
    ///
    /// The wait takes milliseconds while all instances answer, and one lease (about half a second) if one does not.
    ///
    /// ```no_run
    /// # async fn log_out_everywhere(store: latchkey_sessions::Store, user: uuid::Uuid) -> Result<usize, latchkey_sessions::Fault> {
    /// use latchkey_sessions::Principal;
    ///
    /// let sessions = store.clone();
    /// store.write(move |tx| sessions.revoke_all(tx, Principal(user), None)).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Db::write`](latchkey_db::Db::write).
    pub async fn write<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(&mut SessionTx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (value, invalidates, opened) = self
            .db
            .write(move |conn| {
                let mut tx = SessionTx { conn, invalidates: false, opened: Vec::new() };
                let value = work(&mut tx)?;
                Ok((value, tx.invalidates, tx.opened))
            })
            .await?;
        if invalidates && self.cacheable {
            self.wait_until_invalidated().await;
        }
        if !opened.is_empty() {
            self.shared.invalidate(&opened);
            self.shared.listener.send(ListenerCommand::Announce(opened));
        }
        Ok(value)
    }

    /// As [`Store::write`], for `work` that can refuse. A refusal is committed like a success, a fault rolls back.
    ///
    /// # Errors
    /// What `work` refused, or a fault as in [`Store::write`].
    pub async fn write_or_refuse<T, R, W>(&self, work: W) -> Result<T, Failed<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
        W: FnOnce(&mut SessionTx<'_>) -> Result<T, Failed<R>> + Send + 'static,
    {
        latchkey_db::join(self.write(move |tx| work(tx).split()).await)
    }

    /// Runs `work` in one transaction on a connection of the caller: for a program that prepares the database while its
    /// pool is still shut. When the pool is open, the caller must call [`PendingInvalidation::wait`].
    ///
    /// # Errors
    /// That of `work`, or of the transaction. Both roll back.
    pub fn write_on<T, E: From<diesel::result::Error>>(
        &self,
        conn: &mut PgConnection,
        work: impl FnOnce(&mut SessionTx<'_>) -> Result<T, E>,
    ) -> Result<(T, PendingInvalidation), E> {
        conn.transaction(|conn| {
            let mut tx = SessionTx { conn, invalidates: false, opened: Vec::new() };
            let value = work(&mut tx)?;
            // A session that was opened is only missing from lists beside it.
            let pending = PendingInvalidation { invalidates: tx.invalidates || !tx.opened.is_empty() };
            Ok((value, pending))
        })
    }

    /// Returns when no instance serves data from memory that was read before this call. For changes that were committed
    /// without [`Store::write`].
    pub async fn wait_until_invalidated(&self) {
        let begun = BootInstant::now();
        let counts = self.counts();
        if !self.is_acknowledged().await {
            // An instance was silent, or the listener is disconnected: wait until every lease has expired.
            counts.expiry_waits.count();
            sleep(BootInstant::now().until(begun.plus(MAX_LEASE))).await;
        }
        counts.invalidations.record(begun.until(BootInstant::now()));
    }

    /// Whether every instance acknowledged, or no instance listens.
    async fn is_acknowledged(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        if self.shared.listener.send(ListenerCommand::Sync(answer)) {
            return matches!(timeout(MAX_LEASE, answered).await, Ok(Ok(())));
        }
        matches!(self.db.read(|conn| Ok(queries::has_listeners(conn)?)).await, Ok(false))
    }
}
