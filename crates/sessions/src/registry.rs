//! The sessions as a list: who is logged in where, and taking it back.

use diesel::pg::PgConnection;

use super::{Change, Handle, KeyHash, Owner, Principal, Record, Sessions, queries};
use latchkey_db::Fault;

/// Rows ended or deleted in one statement: short locks, little log at a time.
const BATCH: i64 = 10_000;

/// Whose sessions a list is about.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    Everybody,
    Of(&'a [Principal]),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Revoked,
    /// It was unused for too long, or reached its absolute limit.
    Expired,
}

impl<'a> Scope<'a> {
    fn principals(self) -> Option<&'a [Principal]> {
        match self {
            Self::Everybody => None,
            Self::Of(principals) => Some(principals),
        }
    }
}

impl<O: Owner> Sessions<O> {
    /// Whether the session still lives, in the caller's transaction: a guard spoke before the form had arrived, and
    /// that takes as long as whoever sends it likes. Lock first what its revocation locks.
    pub fn lives(&self, conn: &mut PgConnection, handle: Handle) -> Result<bool, Fault> {
        Ok(queries::lives(conn, handle)?)
    }

    /// How the session that `raw` opened has ended, as long as its tombstone is kept.
    pub async fn how_it_ended(&self, raw: &str) -> Result<Option<Ended>, Fault> {
        let Some(key) = KeyHash::of(raw) else { return Ok(None) };
        let revoked = self.db.read(move |conn| Ok(queries::ended(conn, &key)?)).await?;
        Ok(revoked.map(|revoked| if revoked { Ended::Revoked } else { Ended::Expired }))
    }

    /// Live sessions, last seen first: `limit` of them after the first `offset`.
    pub fn list(
        &self,
        conn: &mut PgConnection,
        scope: Scope<'_>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Record>, Fault> {
        Ok(queries::list(conn, O::KIND, scope.principals(), limit, offset)?)
    }

    /// One session, live or ended, while its row is kept.
    pub fn record_of(&self, conn: &mut PgConnection, handle: Handle) -> Result<Option<Record>, Fault> {
        Ok(queries::record_of(conn, O::KIND, handle)?)
    }

    /// How many live sessions there are.
    pub fn count(&self, conn: &mut PgConnection, scope: Scope<'_>) -> Result<i64, Fault> {
        Ok(queries::count(conn, O::KIND, scope.principals())?)
    }

    /// Ends one session; with `owner`, only if it is theirs. Answers whose it was, or `None` when there
    /// is no such live session.
    pub fn revoke(
        &self,
        change: &mut Change<'_>,
        handle: Handle,
        owner: Option<Principal>,
    ) -> Result<Option<Principal>, Fault> {
        change.recall();
        Ok(queries::revoke(change, O::KIND, handle, owner)?)
    }

    /// Ends every session of `principal` but `except`; answers how many.
    pub fn revoke_all(
        &self,
        change: &mut Change<'_>,
        principal: Principal,
        except: Option<Handle>,
    ) -> Result<usize, Fault> {
        change.recall();
        Ok(queries::revoke_all(change, principal, except)?)
    }

    /// Deletes every session of `principal`, who is no more; answers how many.
    pub fn delete_all(&self, change: &mut Change<'_>, principal: Principal) -> Result<usize, Fault> {
        change.recall();
        Ok(queries::delete_all(change, principal)?)
    }

    /// Ends every session that was open when this was called, batch by batch; answers how many.
    pub async fn revoke_everybody<N>(&self, noted: N) -> Result<usize, Fault>
    where
        N: Fn(&mut Change<'_>, usize) -> Result<(), Fault> + Clone + Send + 'static,
    {
        let begun = self.db.read(|conn| Ok(queries::moment(conn)?)).await?;
        let mut total = 0;
        loop {
            let ended = self
                .write({
                    let noted = noted.clone();
                    move |change| {
                        change.recall();
                        let ended = queries::revoke_anybody(change, O::KIND, begun, BATCH)?;
                        if ended > 0 {
                            noted(change, ended)?;
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

    /// How many sessions are dead for longer than they are kept, counted no further than one batch.
    pub fn count_due(&self, conn: &mut PgConnection) -> Result<i64, Fault> {
        Ok(queries::count_due(conn, self.policy.keep_ended, BATCH)?)
    }

    /// Deletes sessions that ended long ago, batch by batch, and answers how many. Does nothing while
    /// another instance is at it.
    pub async fn sweep(&self) -> Result<usize, Fault> {
        let keep = self.policy.keep_ended;
        let mut total = 0;
        loop {
            let swept =
                self.db
                    .write(move |conn| {
                        if queries::may_sweep(conn)? { Ok(queries::sweep(conn, keep, BATCH)?) } else { Ok(0) }
                    })
                    .await?;
            total += swept;
            if swept == 0 {
                return Ok(total);
            }
        }
    }
}
