//! Lists and ends sessions.

use std::time::Duration;

use diesel::QueryResult;
use diesel::pg::PgConnection;
use latchkey_db::Fault;

use super::{Handle, KeyHash, Owner, Principal, SessionRecord, SessionTx, Store, queries};

/// Rows ended or deleted in one statement, so that locks are short and the write-ahead log small.
const BATCH: i64 = 10_000;

/// A scoped key is swept when its session has been expired for this long. No transaction can still be about to extend
/// the session, so the deletion need not be announced. The trigger `announce_session_key` uses the same hour.
const EXPIRED_FOR: Duration = Duration::from_secs(3600);

/// The owners whose sessions to list or count.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// All principals.
    All,
    /// These principals.
    Of(&'a [Principal]),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It was revoked.
    Revoked,
    /// It was not used for too long, or it reached its absolute limit.
    Expired,
}

impl<'a> Scope<'a> {
    fn principals(self) -> Option<&'a [Principal]> {
        match self {
            Self::All => None,
            Self::Of(principals) => Some(principals),
        }
    }
}

impl<O: Owner> Store<O> {
    /// Whether the session is live, in the caller's transaction. A guard admits a request before its body has arrived,
    /// and the client decides how long that takes. Before you call this, lock what a revocation locks.
    ///
    /// # Errors
    /// Those of the query.
    pub fn is_live(&self, conn: &mut PgConnection, handle: Handle) -> Result<bool, Fault> {
        Ok(queries::is_live(conn, O::KIND, handle)?)
    }

    /// The same, and locks a live session until the transaction ends, so that what the transaction writes for the session is
    /// committed before the session can end.
    ///
    /// # Errors
    /// Those of the query.
    pub fn lock_live(&self, conn: &mut PgConnection, handle: Handle) -> Result<bool, Fault> {
        Ok(queries::lock_live(conn, O::KIND, handle)?)
    }

    /// Why the session of the key `raw` ended, as long as its tombstone is kept: for a page that tells a user why they have
    /// to log in again.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn end_reason(&self, raw: &str) -> Result<Option<EndReason>, Fault> {
        let Some(key) = KeyHash::of(raw) else { return Ok(None) };
        let revoked = self.db.read(move |conn| Ok(queries::end_reason(conn, O::KIND, &key)?)).await?;
        Ok(revoked.map(|revoked| if revoked { EndReason::Revoked } else { EndReason::Expired }))
    }

    /// Live sessions, last used first: `limit` of them after the first `offset`. From the database, in the caller's
    /// transaction; [`Store::list_of`] lists one principal's from the cache.
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store) -> Result<(), latchkey_sessions::Fault> {
    /// use latchkey_sessions::Scope;
    ///
    /// let sessions = store.clone();
    /// let newest = store.db().read(move |conn| sessions.list(conn, Scope::All, 50, 0)).await?;
    /// for record in newest {
    ///     println!("{} {} {}", record.handle, record.address, record.login.user_agent);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the query.
    pub fn list(
        &self,
        conn: &mut PgConnection,
        scope: Scope<'_>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<SessionRecord>, Fault> {
        Ok(queries::list(conn, O::KIND, scope.principals(), limit, offset)?)
    }

    /// One session, live or ended, while its row is kept.
    ///
    /// # Errors
    /// Those of the query.
    pub fn record(&self, conn: &mut PgConnection, handle: Handle) -> Result<Option<SessionRecord>, Fault> {
        Ok(queries::record(conn, O::KIND, handle)?)
    }

    /// How many live sessions there are.
    ///
    /// # Errors
    /// Those of the query.
    pub fn count(&self, conn: &mut PgConnection, scope: Scope<'_>) -> Result<i64, Fault> {
        Ok(queries::count(conn, O::KIND, scope.principals())?)
    }

    /// Ends one session; with `owner`, only if it belongs to that principal. Returns its principal, or `None` if there
    /// is no such live session.
    ///
    /// ```no_run
    /// # async fn example(store: latchkey_sessions::Store, me: latchkey_sessions::Principal, handle: &str) {
    /// use latchkey_sessions::Handle;
    ///
    /// let Ok(handle) = handle.parse::<Handle>() else { return };
    /// let sessions = store.clone();
    /// match store.write(move |tx| sessions.revoke(tx, handle, Some(me))).await {
    ///     Ok(Some(_)) => println!("ended, on all instances"),
    ///     Ok(None) => println!("no such session"),
    ///     Err(fault) => println!("try again: {fault}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of the statement.
    pub fn revoke(
        &self,
        tx: &mut SessionTx<'_>,
        handle: Handle,
        owner: Option<Principal>,
    ) -> Result<Option<Principal>, Fault> {
        tx.invalidates();
        Ok(queries::revoke(tx, O::KIND, handle, owner)?)
    }

    /// Ends one session of `principal` in its own transaction, for applications that write nothing else with it.
    /// `false` if `principal` has no such live session.
    ///
    /// # Errors
    /// A [`Fault`] of the database.
    pub async fn end(&self, principal: Principal, handle: Handle) -> Result<bool, Fault> {
        let store = self.clone();
        let ended = self.write(move |tx| store.revoke(tx, handle, Some(principal))).await?;
        Ok(ended.is_some())
    }

    /// Ends all sessions of `principal` except `except`, and returns how many.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn revoke_all(
        &self,
        tx: &mut SessionTx<'_>,
        principal: Principal,
        except: Option<Handle>,
    ) -> Result<usize, Fault> {
        tx.invalidates();
        Ok(queries::revoke_all(tx, principal, except)?)
    }

    /// Deletes all rows of a `principal` who is being deleted, and returns how many.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn delete_all(&self, tx: &mut SessionTx<'_>, principal: Principal) -> Result<usize, Fault> {
        tx.invalidates();
        Ok(queries::delete_all(tx, principal)?)
    }

    /// Ends all sessions that were open when this was called, in batches, and returns how many. `audit` runs in the
    /// transaction of each batch, with the number of its sessions.
    ///
    /// # Errors
    /// Those of the statements and of `audit`; earlier batches stay committed.
    pub async fn revoke_everyone<N>(&self, audit: N) -> Result<usize, Fault>
    where
        N: Fn(&mut SessionTx<'_>, usize) -> Result<(), Fault> + Clone + Send + 'static,
    {
        let begun = self.db.read(|conn| Ok(queries::moment(conn)?)).await?;
        let mut total = 0;
        loop {
            let ended = self
                .write({
                    let audit = audit.clone();
                    move |tx| {
                        tx.invalidates();
                        let ended = queries::revoke_batch(tx, O::KIND, begun, BATCH)?;
                        if ended > 0 {
                            audit(tx, ended)?;
                        }
                        Ok(ended)
                    }
                })
                .await?;
            total += ended;
            if ended == 0 {
                return Ok(total);
            }
        }
    }

    /// How many tombstones a sweep would delete, counted up to one batch.
    ///
    /// # Errors
    /// Those of the query.
    pub fn count_due(&self, conn: &mut PgConnection) -> Result<i64, Fault> {
        Ok(queries::count_due(conn, self.policy.keep_ended, BATCH)?)
    }

    /// Deletes tombstones older than [`Policy::keep_ended`](crate::Policy::keep_ended), in batches, and returns how many.
    /// Also deletes the scoped keys of sessions that expired, before their tombstones. Does nothing while another
    /// instance sweeps.
    ///
    /// # Errors
    /// Those of the statements; earlier batches stay deleted.
    pub async fn sweep(&self) -> Result<usize, Fault> {
        let keep = self.policy.keep_ended;
        self.sweep_with(|conn| queries::sweep_scoped_keys(conn, EXPIRED_FOR, BATCH)).await?;
        self.sweep_with(move |conn| queries::sweep(conn, keep, BATCH)).await
    }

    async fn sweep_with<W>(&self, delete_batch: W) -> Result<usize, Fault>
    where
        W: Fn(&mut PgConnection) -> QueryResult<usize> + Copy + Send + 'static,
    {
        let mut total = 0;
        loop {
            let swept = self
                .db
                .write(move |conn| if queries::may_sweep(conn)? { Ok(delete_batch(conn)?) } else { Ok(0) })
                .await?;
            total += swept;
            if swept == 0 {
                return Ok(total);
            }
        }
    }
}
