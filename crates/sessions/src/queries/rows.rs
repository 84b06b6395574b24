//! Writing and listing sessions.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::dsl::{now, sql};
use diesel::pg::PgConnection;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Interval, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::lock_order::lock_in_order;
use crate::is_live;
use crate::schema::sessions::{self, dsl};
use crate::{Handle, KeyHash, NewSession, Policy, Principal, SessionRecord, SessionState};
use latchkey_db::time::{self, Moment};

diesel::define_sql_function! {
    #[sql_name = "least"]
    fn earlier(a: Timestamptz, b: Timestamptz) -> Timestamptz
}

pub fn insert(
    conn: &mut PgConnection,
    kind: &'static str,
    key: &KeyHash,
    login: &NewSession,
    life: Duration,
) -> QueryResult<Handle> {
    diesel::insert_into(sessions::table)
        .values((
            dsl::key_hash.eq(key.as_bytes()),
            dsl::kind.eq(kind),
            dsl::principal.eq(login.principal),
            dsl::remember.eq(login.remember),
            dsl::factor.eq(&login.factor),
            dsl::address.eq(cut(&login.address, 45)),
            dsl::user_agent.eq(cut(&login.user_agent, 400)),
            dsl::device.eq(login.device.as_ref().map(<[u8; 32]>::as_slice)),
            dsl::expires_at.eq(time::now() + time::interval(life)),
        ))
        .returning(dsl::handle)
        .get_result(conn)
}

pub fn set_state(
    conn: &mut PgConnection,
    kind: &'static str,
    key: &KeyHash,
    state: &SessionState,
) -> QueryResult<usize> {
    let row = sessions::table.filter(dsl::key_hash.eq(key.as_bytes())).filter(dsl::kind.eq(kind));
    diesel::update(row.filter(is_live!())).set(dsl::state.eq(state)).execute(conn)
}

/// Writes when sessions were used, in the order of their handles. Rows locked by another transaction are skipped: a
/// rotation or revocation is more recent, and no transaction waits for another.
pub fn touch(conn: &mut PgConnection, seen: &[(Handle, Moment)], policy: &Policy) -> QueryResult<usize> {
    let (handles, moments): (Vec<Handle>, Vec<Moment>) = seen.iter().copied().unzip();
    diesel::sql_query(
        "UPDATE sessions SET last_seen_at = t.seen, expires_at = least( \
             t.seen + CASE WHEN remember THEN $4 ELSE $3 END, created_at + CASE WHEN remember THEN $6 ELSE $5 END) \
         FROM (SELECT s.handle, seen FROM unnest($1, $2) AS u (handle, seen) JOIN sessions s ON s.handle = u.handle \
               WHERE s.revoked_at IS NULL AND s.expires_at > now() AND s.last_seen_at < seen \
               ORDER BY s.handle FOR NO KEY UPDATE OF s SKIP LOCKED) t \
         WHERE sessions.handle = t.handle AND revoked_at IS NULL",
    )
    .bind::<Array<SqlUuid>, _>(handles)
    .bind::<Array<Timestamptz>, _>(moments)
    .bind::<Interval, _>(time::to_interval(policy.idle))
    .bind::<Interval, _>(time::to_interval(policy.remembered_idle))
    .bind::<Interval, _>(time::to_interval(policy.absolute))
    .bind::<Interval, _>(time::to_interval(policy.remembered_absolute))
    .execute(conn)
}

/// Restarts the idle clock of a session. Only the row says whether it is remembered.
pub fn restart_idle(
    conn: &mut PgConnection,
    key: &KeyHash,
    plain: (Duration, Duration),
    remembered: (Duration, Duration),
) -> QueryResult<usize> {
    for (remember, (idle, absolute)) in [(false, plain), (true, remembered)] {
        let touched = diesel::update(
            sessions::table
                .filter(dsl::key_hash.eq(key.as_bytes()))
                .filter(dsl::remember.eq(remember))
                .filter(is_live!()),
        )
        .set((dsl::last_seen_at.eq(now), dsl::expires_at.eq(expiry(idle, absolute))))
        .execute(conn)?;
        if touched > 0 {
            return Ok(touched);
        }
    }
    Ok(0)
}

pub fn rotate(
    conn: &mut PgConnection,
    handle: Handle,
    old: &KeyHash,
    new: &KeyHash,
    confirmed: bool,
    idle: Duration,
    absolute: Duration,
) -> QueryResult<bool> {
    let row = sessions::table
        .filter(dsl::handle.eq(handle))
        .filter(dsl::key_hash.eq(old.as_bytes()))
        .filter(is_live!());
    let clocks = (
        dsl::key_hash.eq(new.as_bytes()),
        dsl::last_seen_at.eq(now),
        dsl::expires_at.eq(expiry(idle, absolute)),
    );
    let rows = if confirmed {
        diesel::update(row).set((clocks, dsl::confirmed_at.eq(now))).execute(conn)?
    } else {
        diesel::update(row).set(clocks).execute(conn)?
    };
    Ok(rows == 1)
}

pub fn revoke_by_key(conn: &mut PgConnection, kind: &'static str, key: &KeyHash) -> QueryResult<usize> {
    let row = sessions::table.filter(dsl::key_hash.eq(key.as_bytes())).filter(dsl::kind.eq(kind));
    diesel::update(row.filter(is_live!())).set(dsl::revoked_at.eq(now)).execute(conn)
}

/// Ends the session even if it has another key by now, unless its key is `spared`.
pub fn revoke_but(conn: &mut PgConnection, handle: Handle, spared: Option<&KeyHash>) -> QueryResult<usize> {
    let spared = spared.map_or(&[][..], KeyHash::as_bytes);
    diesel::update(
        sessions::table.filter(dsl::handle.eq(handle)).filter(dsl::key_hash.ne(spared)).filter(is_live!()),
    )
    .set(dsl::revoked_at.eq(now))
    .execute(conn)
}

pub fn revoke(
    conn: &mut PgConnection,
    kind: &'static str,
    handle: Handle,
    owner: Option<Principal>,
) -> QueryResult<Option<Principal>> {
    let any_owner = owner.is_none().into_sql::<Bool>();
    let owned = dsl::principal.eq(owner.unwrap_or(Principal(Uuid::nil()))).or(any_owner);
    let row = sessions::table.filter(dsl::handle.eq(handle)).filter(dsl::kind.eq(kind)).filter(owned);
    diesel::update(row.filter(is_live!()))
        .set(dsl::revoked_at.eq(now))
        .returning(dsl::principal)
        .get_result(conn)
        .optional()
}

pub fn revoke_all(
    conn: &mut PgConnection,
    principal: Principal,
    except: Option<Handle>,
) -> QueryResult<usize> {
    let theirs = sessions::table
        .filter(dsl::principal.eq(principal))
        .filter(dsl::handle.ne(except.unwrap_or(Handle(Uuid::nil()))))
        .filter(is_live!());
    let theirs = lock_in_order!(conn, theirs)?;
    revoke_locked(conn, &theirs)
}

/// The caller has locked these live sessions.
fn revoke_locked(conn: &mut PgConnection, locked: &[Handle]) -> QueryResult<usize> {
    if locked.is_empty() {
        return Ok(0);
    }
    let rows = sessions::table.filter(dsl::handle.eq_any(locked)).filter(is_live!());
    diesel::update(rows).set(dsl::revoked_at.eq(now)).execute(conn)
}

/// Live and ended sessions.
pub fn delete_all(conn: &mut PgConnection, principal: Principal) -> QueryResult<usize> {
    let theirs = sessions::table.filter(dsl::principal.eq(principal));
    lock_in_order!(conn, theirs)?;
    diesel::delete(theirs).execute(conn)
}

/// Ends up to `batch` sessions that were opened before `opened_before`. Announced with one message.
pub fn revoke_batch(
    conn: &mut PgConnection,
    kind: &'static str,
    opened_before: Moment,
    batch: i64,
) -> QueryResult<usize> {
    conn.batch_execute("SET LOCAL latchkey.everybody = 'yes'")?;
    let some = sessions::table
        .filter(is_live!())
        .filter(dsl::kind.eq(kind))
        .filter(dsl::created_at.le(opened_before))
        .limit(batch);
    let some = lock_in_order!(conn, some)?;
    revoke_locked(conn, &some)
}

/// Whether it is live, as seen by this transaction.
pub fn is_live(conn: &mut PgConnection, kind: &'static str, handle: Handle) -> QueryResult<bool> {
    let row = sessions::table.filter(dsl::handle.eq(handle)).filter(dsl::kind.eq(kind)).filter(is_live!());
    diesel::select(diesel::dsl::exists(row)).get_result(conn)
}

/// Whether the ended session of this key was revoked.
pub fn end_reason(conn: &mut PgConnection, kind: &'static str, key: &KeyHash) -> QueryResult<Option<bool>> {
    sessions::table
        .filter(dsl::key_hash.eq(key.as_bytes()))
        .filter(dsl::kind.eq(kind))
        .filter(dsl::revoked_at.is_not_null().or(dsl::expires_at.le(now)))
        .select(dsl::revoked_at.is_not_null())
        .first(conn)
        .optional()
}

/// The database's time.
pub fn moment(conn: &mut PgConnection) -> QueryResult<Moment> {
    diesel::select(time::now()).get_result(conn)
}

pub fn revoke_oldest(conn: &mut PgConnection, principal: Principal, keep: i64) -> QueryResult<usize> {
    let surplus: Vec<Handle> = sessions::table
        .filter(dsl::principal.eq(principal))
        .filter(is_live!())
        .order((dsl::created_at.desc(), dsl::handle))
        .offset(keep)
        .select(dsl::handle)
        .load(conn)?;
    if surplus.is_empty() {
        return Ok(0);
    }
    let surplus = lock_in_order!(conn, sessions::table.filter(dsl::handle.eq_any(surplus)))?;
    revoke_locked(conn, &surplus)
}

#[diesel::dsl::auto_type]
fn last_seen_first() -> _ {
    (dsl::last_seen_at.desc(), dsl::handle)
}

pub fn list(
    conn: &mut PgConnection,
    kind: &'static str,
    principals: Option<&[Principal]>,
    limit: i64,
    offset: i64,
) -> QueryResult<Vec<SessionRecord>> {
    let mut rows = sessions::table.filter(is_live!()).filter(dsl::kind.eq(kind)).into_boxed();
    if let Some(principals) = principals {
        rows = rows.filter(dsl::principal.eq_any(principals.to_vec()));
    }
    rows.order(last_seen_first()).limit(limit).offset(offset).select(SessionRecord::as_select()).load(conn)
}

pub fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    handle: Handle,
) -> QueryResult<Option<SessionRecord>> {
    let row = sessions::table.filter(dsl::handle.eq(handle)).filter(dsl::kind.eq(kind));
    row.select(SessionRecord::as_select()).first(conn).optional()
}

/// The live sessions of one principal, and when they were read. One statement, so that both have the same time.
pub fn list_of(
    conn: &mut PgConnection,
    principal: Principal,
    limit: i64,
) -> QueryResult<(Vec<SessionRecord>, Moment)> {
    let rows: Vec<(SessionRecord, Moment)> = sessions::table
        .filter(is_live!())
        .filter(dsl::principal.eq(principal))
        .order(last_seen_first())
        .limit(limit)
        .select((SessionRecord::as_select(), time::now()))
        .load(conn)?;
    // An empty list counts as the oldest.
    let read_at = rows.first().map_or(Moment(i64::MIN), |(_, moment)| *moment);
    Ok((rows.into_iter().map(|(record, _)| record).collect(), read_at))
}

pub fn count(
    conn: &mut PgConnection,
    kind: &'static str,
    principals: Option<&[Principal]>,
) -> QueryResult<i64> {
    let mut rows = sessions::table.filter(is_live!()).filter(dsl::kind.eq(kind)).into_boxed();
    if let Some(principals) = principals {
        rows = rows.filter(dsl::principal.eq_any(principals.to_vec()));
    }
    rows.count().get_result(conn)
}

/// Deletes one batch. The rows are found by position; locked ones are skipped.
pub fn sweep(conn: &mut PgConnection, keep: Duration, batch: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM sessions WHERE ctid = ANY (ARRAY( \
             SELECT ctid FROM sessions WHERE least(expires_at, revoked_at) < now() - $1 \
             LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind::<Interval, _>(time::to_interval(keep))
    .bind::<BigInt, _>(batch)
    .execute(conn)
}

/// How many rows a sweep would delete, counted up to `most`.
pub fn count_due(conn: &mut PgConnection, keep: Duration, most: i64) -> QueryResult<i64> {
    let due: Vec<Handle> = sessions::table
        .filter(
            sql::<Bool>("least(expires_at, revoked_at) < now() - ")
                .bind::<Interval, _>(time::to_interval(keep)),
        )
        .limit(most)
        .select(dsl::handle)
        .load(conn)?;
    Ok(i64::try_from(due.len()).unwrap_or(most))
}

/// Whether this transaction may sweep: only one does at a time.
pub fn may_sweep(conn: &mut PgConnection) -> QueryResult<bool> {
    diesel::select(sql::<Bool>("pg_try_advisory_xact_lock(hashtext('latchkey.sweep'))")).get_result(conn)
}

type Expiry = earlier<
    diesel::dsl::Add<diesel::dsl::AsExprOf<now, Timestamptz>, diesel::dsl::AsExprOf<PgInterval, Interval>>,
    diesel::dsl::Add<dsl::created_at, diesel::dsl::AsExprOf<PgInterval, Interval>>,
>;

fn expiry(idle: Duration, absolute: Duration) -> Expiry {
    earlier(time::now() + time::interval(idle), dsl::created_at + time::interval(absolute))
}

/// The first `max` characters, without NUL, which a text column cannot hold.
fn cut(text: &str, max: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(max).collect()
}
