//! Scoped keys: reading, opening, touching and ending them.

use std::time::Duration;

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Interval, Timestamptz};
use latchkey_db::time::{self, Moment};
use uuid::Uuid;

use super::live::query_keys;
use super::lock_order::lock_in_order;
use crate::schema::{session_keys, sessions};
use crate::{Handle, KeyHash, Principal, ScopedKeyRecord, is_live};

/// A scoped key, and the hash of its session's own key.
#[derive(Queryable)]
pub struct ScopedKeyRow {
    key_hash: Vec<u8>,
    session_key: Vec<u8>,
    pub scope: Uuid,
    pub origin: String,
    pub proved_at: Moment,
    pub last_seen_at: Moment,
}

impl ScopedKeyRow {
    /// `None` if a hash does not have 32 bytes. The table refuses such a hash.
    pub fn keys(&self) -> Option<(KeyHash, KeyHash)> {
        let hash = |bytes: &[u8]| bytes.try_into().ok().map(KeyHash::new);
        Some((hash(&self.key_hash)?, hash(&self.session_key)?))
    }
}

/// The scoped keys among `keys` whose sessions are live.
pub fn live_scoped_keys(
    conn: &mut PgConnection,
    kind: &'static str,
    keys: &[KeyHash],
) -> QueryResult<Vec<ScopedKeyRow>> {
    use session_keys::dsl;
    dsl::session_keys
        .inner_join(sessions::table.on(sessions::handle.eq(dsl::session)))
        .filter(dsl::key_hash.eq_any(query_keys(keys)))
        .filter(sessions::kind.eq(kind))
        .filter(is_live!())
        .select((
            dsl::key_hash,
            sessions::key_hash,
            dsl::scope,
            dsl::origin,
            dsl::proved_at,
            dsl::last_seen_at,
        ))
        .load(conn)
}

/// Locks the session against changes; `false` if it has ended.
pub fn lock_live(conn: &mut PgConnection, kind: &'static str, session: Handle) -> QueryResult<bool> {
    let row = sessions::table.filter(sessions::handle.eq(session)).filter(sessions::kind.eq(kind));
    let found: Option<Handle> =
        row.filter(is_live!()).for_no_key_update().select(sessions::handle).first(conn).optional()?;
    Ok(found.is_some())
}

pub fn insert_scoped_key(
    conn: &mut PgConnection,
    key: &KeyHash,
    session: Handle,
    scope: Uuid,
    origin: &str,
    proved_at: Moment,
) -> QueryResult<usize> {
    use session_keys::dsl;
    diesel::insert_into(dsl::session_keys)
        .values((
            dsl::key_hash.eq(key.as_bytes()),
            dsl::session.eq(session),
            dsl::scope.eq(scope),
            dsl::origin.eq(origin),
            dsl::proved_at.eq(proved_at),
        ))
        .execute(conn)
}

/// Keeps the newest `keep` keys of one session, scope and origin. The caller has locked the session.
pub fn delete_oldest_scoped_keys(
    conn: &mut PgConnection,
    session: Handle,
    scope: Uuid,
    origin: &str,
    keep: i64,
) -> QueryResult<usize> {
    use session_keys::dsl;
    let surplus: Vec<Vec<u8>> = dsl::session_keys
        .filter(dsl::session.eq(session))
        .filter(dsl::scope.eq(scope))
        .filter(dsl::origin.eq(origin))
        .order((dsl::created_at.desc(), dsl::key_hash))
        .offset(keep)
        .select(dsl::key_hash)
        .load(conn)?;
    if surplus.is_empty() {
        return Ok(0);
    }
    diesel::delete(dsl::session_keys.filter(dsl::key_hash.eq_any(surplus))).execute(conn)
}

/// Like [`touch`](super::touch), for scoped keys.
pub fn touch_scoped_keys(conn: &mut PgConnection, seen: &[(KeyHash, Moment)]) -> QueryResult<usize> {
    let (keys, moments): (Vec<&[u8]>, Vec<Moment>) =
        seen.iter().map(|(key, moment)| (key.as_bytes(), *moment)).unzip();
    diesel::sql_query(
        "UPDATE session_keys SET last_seen_at = t.seen \
         FROM (SELECT k.key_hash, seen FROM unnest($1, $2) AS u (key_hash, seen) \
               JOIN session_keys k ON k.key_hash = u.key_hash \
               WHERE k.last_seen_at < seen ORDER BY k.key_hash FOR NO KEY UPDATE OF k SKIP LOCKED) t \
         WHERE session_keys.key_hash = t.key_hash",
    )
    .bind::<Array<Binary>, _>(keys)
    .bind::<Array<Timestamptz>, _>(moments)
    .execute(conn)
}

pub fn delete_scoped_key(conn: &mut PgConnection, key: &KeyHash, scope: Uuid) -> QueryResult<usize> {
    use session_keys::dsl;
    let row = dsl::session_keys.filter(dsl::key_hash.eq(key.as_bytes())).filter(dsl::scope.eq(scope));
    diesel::delete(row).execute(conn)
}

pub fn delete_scoped_keys_of_session(
    conn: &mut PgConnection,
    session: Handle,
    scope: Option<Uuid>,
) -> QueryResult<usize> {
    use session_keys::dsl;
    lock_in_order!(conn, sessions::table.filter(sessions::handle.eq(session)))?;
    let rows = dsl::session_keys.filter(dsl::session.eq(session));
    match scope {
        Some(scope) => diesel::delete(rows.filter(dsl::scope.eq(scope))).execute(conn),
        None => diesel::delete(rows).execute(conn),
    }
}

pub fn delete_scoped_keys_of_principal(
    conn: &mut PgConnection,
    kind: &'static str,
    principal: Principal,
) -> QueryResult<usize> {
    use session_keys::dsl;
    let theirs = sessions::table
        .filter(sessions::principal.eq(principal))
        .filter(sessions::kind.eq(kind))
        .filter(is_live!());
    let theirs = lock_in_order!(conn, theirs)?;
    diesel::delete(dsl::session_keys.filter(dsl::session.eq_any(theirs))).execute(conn)
}

/// Announced as a change of each principal who has a key of the scope.
pub fn delete_scoped_keys_of_scope(conn: &mut PgConnection, scope: Uuid) -> QueryResult<usize> {
    use session_keys::dsl;
    let of_scope = dsl::session_keys.filter(dsl::scope.eq(scope));
    let theirs = sessions::table.filter(sessions::handle.eq_any(of_scope.select(dsl::session)));
    lock_in_order!(conn, theirs)?;
    diesel::delete(of_scope).execute(conn)
}

pub fn list_scoped_keys(
    conn: &mut PgConnection,
    kind: &'static str,
    principal: Principal,
) -> QueryResult<Vec<ScopedKeyRecord>> {
    use session_keys::dsl;
    dsl::session_keys
        .inner_join(sessions::table.on(sessions::handle.eq(dsl::session)))
        .filter(sessions::principal.eq(principal))
        .filter(sessions::kind.eq(kind))
        .filter(is_live!())
        .order((dsl::last_seen_at.desc(), dsl::key_hash))
        .select(ScopedKeyRecord::as_select())
        .load(conn)
}

/// Deletes one batch of the keys of sessions that expired at least `margin` ago; this deletion is not announced. The
/// keys of revoked sessions were deleted with the revocation.
pub fn sweep_scoped_keys(conn: &mut PgConnection, margin: Duration, batch: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM session_keys WHERE ctid = ANY (ARRAY( \
             SELECT k.ctid FROM session_keys k JOIN sessions s ON s.handle = k.session \
             WHERE least(s.expires_at, s.revoked_at) < now() - $1 LIMIT $2 FOR UPDATE OF k SKIP LOCKED))",
    )
    .bind::<Interval, _>(time::to_interval(margin))
    .bind::<BigInt, _>(batch)
    .execute(conn)
}
