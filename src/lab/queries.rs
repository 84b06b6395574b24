//! All SQL of the lab.

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::jwt::{Algorithm, TokenUse};
use super::limits::{MAX_RUNS, MAX_RUNS_PER_NETWORK, RUN_LIFE, RunLimit};
use super::rows::{SessionRow, TokenRow};
use super::{DenyList, HistoryEntry, Outcome, Run, Subject, SubjectRole};
use crate::db::Fault;
use crate::db::schema::{lab_runs, lab_tokens};
use crate::db::time::{self, Moment};
use crate::secret::TokenHash;
use latchkey_sessions::schema::sessions as session_rows;
use latchkey_sessions::{KeyHash, LiveSession, Owner as _, owned, query_keys};

/// How many steps of a run the history keeps.
const HISTORY_LENGTH: usize = 12;

/// How many rows of each kind the page shows.
const ROWS_SHOWN: i64 = 4;

#[derive(Queryable, Selectable)]
#[diesel(table_name = lab_runs, check_for_backend(diesel::pg::Pg))]
struct RunRow {
    id: Uuid,
    role: String,
    disabled_at: Option<Moment>,
    algorithm: String,
    signing_key: i32,
    oldest_key: i32,
    deny_list: String,
    split: bool,
    ahead_seconds: i64,
    steps: Value,
    step_count: i32,
    expires_at: Moment,
}

fn read((row, read_at): (RunRow, Moment)) -> Result<Run, Fault> {
    let id = row.id;
    let unknown = |what: &str| Fault::bug(format_args!("lab run {id} has an unknown {what}"));
    Ok(Run {
        id,
        role: SubjectRole::parse(&row.role).ok_or_else(|| unknown("role"))?,
        disabled_at: row.disabled_at,
        algorithm: algorithm_of(&row.algorithm).ok_or_else(|| unknown("algorithm"))?,
        signing_key: row.signing_key,
        oldest_key: row.oldest_key,
        deny_list: DenyList::parse(&row.deny_list).ok_or_else(|| unknown("deny-list"))?,
        split: row.split,
        ahead: row.ahead_seconds,
        history: serde_json::from_value(row.steps).map_err(Fault::bug)?,
        step_count: row.step_count,
        expires_at: row.expires_at,
        now: read_at,
    })
}

fn algorithm_of(name: &str) -> Option<Algorithm> {
    [Algorithm::EdDsa, Algorithm::Hs256].into_iter().find(|algorithm| algorithm.name() == name)
}

/// The limit that a new run would exceed. The lock lets one transaction count at a time, so that the limit holds.
pub fn reached_limit(conn: &mut PgConnection, network: &str) -> Result<Option<RunLimit>, Fault> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtext('latchkey.lab'))").execute(conn)?;
    // Runs that were ended early count as well, so that ending a run does not lift the limit.
    let recent = lab_runs::table.filter(lab_runs::created_at.gt(time::now() - time::interval(RUN_LIFE)));
    let of_network: i64 = recent.filter(lab_runs::address.eq(network)).count().get_result(conn)?;
    if of_network >= MAX_RUNS_PER_NETWORK {
        return Ok(Some(RunLimit::Network));
    }
    let total: i64 = recent.count().get_result(conn)?;
    Ok((total >= MAX_RUNS).then_some(RunLimit::Total))
}

pub fn insert(conn: &mut PgConnection, hash: &TokenHash, network: &str) -> Result<Run, Fault> {
    let row = diesel::insert_into(lab_runs::table)
        .values((
            lab_runs::key_hash.eq(hash.as_slice()),
            lab_runs::address.eq(network),
            lab_runs::expires_at.eq(time::now() + time::interval(RUN_LIFE)),
        ))
        .returning((RunRow::as_returning(), time::now()))
        .get_result(conn)?;
    read(row)
}

pub fn find(conn: &mut PgConnection, hash: &TokenHash) -> Result<Option<Run>, Fault> {
    let row: Option<(RunRow, Moment)> = lab_runs::table
        .filter(lab_runs::key_hash.eq(hash.as_slice()))
        .filter(lab_runs::expires_at.gt(now))
        .select((RunRow::as_select(), time::now()))
        .first(conn)
        .optional()?;
    row.map(read).transpose()
}

/// Like [`find`], by id, and locks the row: the steps of one run are taken one after the other.
pub fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<Run>, Fault> {
    let row: Option<(RunRow, Moment)> = lab_runs::table
        .filter(lab_runs::id.eq(id))
        .filter(lab_runs::expires_at.gt(now))
        .select((RunRow::as_select(), time::now()))
        .for_update()
        .first(conn)
        .optional()?;
    row.map(read).transpose()
}

/// Saves the settings of a run.
pub fn save(conn: &mut PgConnection, run: &Run) -> QueryResult<usize> {
    diesel::update(lab_runs::table.filter(lab_runs::id.eq(run.id)))
        .set((
            lab_runs::role.eq(run.role.as_str()),
            lab_runs::disabled_at.eq(run.disabled_at),
            lab_runs::algorithm.eq(run.algorithm.name()),
            lab_runs::signing_key.eq(run.signing_key),
            lab_runs::oldest_key.eq(run.oldest_key),
            lab_runs::deny_list.eq(run.deny_list.as_str()),
            lab_runs::split.eq(run.split),
            lab_runs::ahead_seconds.eq(run.ahead),
        ))
        .execute(conn)
}

/// Appends a step to the history; the oldest step is dropped when it is full.
pub fn append_to_history(conn: &mut PgConnection, run: &Run, outcome: Outcome) -> Result<(), Fault> {
    let mut history = run.history.clone();
    history.push(HistoryEntry::new(OffsetDateTime::from(run.now).unix_timestamp(), outcome));
    let surplus = history.len().saturating_sub(HISTORY_LENGTH);
    history.drain(..surplus);
    diesel::update(lab_runs::table.filter(lab_runs::id.eq(run.id)))
        .set((
            lab_runs::steps.eq(serde_json::to_value(history).map_err(Fault::bug)?),
            lab_runs::step_count.eq(lab_runs::step_count + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Ends a run early. Its row stays until it expires, because it counts towards the limits.
pub fn close(conn: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    diesel::update(lab_runs::table.filter(lab_runs::id.eq(id)))
        .set((lab_runs::expires_at.eq(now), lab_runs::steps.eq(Value::Array(Vec::new()))))
        .execute(conn)?;
    diesel::delete(lab_tokens::table.filter(lab_tokens::run.eq(id))).execute(conn)?;
    delete_sessions(conn, &[id])?;
    Ok(())
}

/// Deletes a run with its tokens and sessions.
pub fn delete(conn: &mut PgConnection, id: Uuid) -> Result<(), Fault> {
    diesel::delete(lab_runs::table.filter(lab_runs::id.eq(id))).execute(conn)?;
    delete_sessions(conn, &[id])?;
    Ok(())
}

/// Deletes the runs that are over, with their tokens and sessions.
pub fn delete_expired(conn: &mut PgConnection) -> Result<usize, Fault> {
    let ended: Vec<Uuid> = diesel::delete(
        lab_runs::table.filter(lab_runs::created_at.le(time::now() - time::interval(RUN_LIFE))),
    )
    .returning(lab_runs::id)
    .get_results(conn)?;
    delete_sessions(conn, &ended)?;
    Ok(ended.len())
}

/// Deletes every run, with its tokens and sessions.
pub fn delete_all(conn: &mut PgConnection) -> Result<usize, Fault> {
    let runs: Vec<Uuid> = diesel::delete(lab_runs::table).returning(lab_runs::id).get_results(conn)?;
    delete_sessions(conn, &runs)?;
    Ok(runs.len())
}

fn delete_sessions(conn: &mut PgConnection, runs: &[Uuid]) -> QueryResult<usize> {
    diesel::delete(
        session_rows::table
            .filter(session_rows::kind.eq(Subject::KIND))
            .filter(session_rows::principal.eq_any(runs)),
    )
    .execute(conn)
}

/// The live sessions of `keys` with their subjects; sessions of disabled subjects are left out.
pub fn live_subjects(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Subject>>, Fault> {
    let rows = latchkey_sessions::live_sessions!(Subject::KIND, query_keys(keys))
        .inner_join(lab_runs::table.on(lab_runs::id.eq(session_rows::principal)))
        .filter(lab_runs::disabled_at.is_null())
        .filter(lab_runs::expires_at.gt(now))
        .select(latchkey_sessions::live_columns!(lab_runs::role))
        .load(conn)?;
    owned(rows, |role: String| match SubjectRole::parse(&role) {
        Some(role) => Ok(Subject { role }),
        None => Err(Fault::bug(format_args!("the unknown role {role:?}"))),
    })
}

/// When the session of this run with this key was revoked, if it was, and when it expires or expired.
pub fn session_end(
    conn: &mut PgConnection,
    run: Uuid,
    key: &KeyHash,
) -> Result<Option<(Option<Moment>, Moment)>, Fault> {
    Ok(session_rows::table
        .filter(session_rows::key_hash.eq(key.as_bytes()))
        .filter(session_rows::kind.eq(Subject::KIND))
        .filter(session_rows::principal.eq(run))
        .select((session_rows::revoked_at, session_rows::expires_at))
        .first(conn)
        .optional()?)
}

/// When the session with this key was revoked or its subject was disabled: the earlier of the two.
pub fn access_ended(conn: &mut PgConnection, run: Uuid, key: &KeyHash) -> Result<Option<Moment>, Fault> {
    let revoked = session_end(conn, run, key)?.and_then(|(revoked_at, _)| revoked_at);
    let disabled: Option<Option<Moment>> =
        lab_runs::table.filter(lab_runs::id.eq(run)).select(lab_runs::disabled_at).first(conn).optional()?;
    Ok(revoked.into_iter().chain(disabled.flatten()).min())
}

/// Makes the rows of a run older.
pub fn age(conn: &mut PgConnection, run: Uuid, by: std::time::Duration) -> QueryResult<usize> {
    diesel::update(lab_tokens::table.filter(lab_tokens::run.eq(run)))
        .set(lab_tokens::denied_at.eq(lab_tokens::denied_at - time::interval(by).nullable()))
        .execute(conn)?;
    diesel::update(
        session_rows::table
            .filter(session_rows::principal.eq(run))
            .filter(session_rows::kind.eq(Subject::KIND)),
    )
    .set((
        session_rows::created_at.eq(session_rows::created_at - time::interval(by)),
        session_rows::confirmed_at.eq(session_rows::confirmed_at - time::interval(by)),
        session_rows::last_seen_at.eq(session_rows::last_seen_at - time::interval(by)),
        session_rows::expires_at.eq(session_rows::expires_at - time::interval(by)),
        session_rows::revoked_at.eq(session_rows::revoked_at - time::interval(by).nullable()),
    ))
    .execute(conn)
}

/// Revokes the session with this key, as a log-out does.
pub fn revoke_session(conn: &mut PgConnection, run: Uuid, key: &KeyHash) -> QueryResult<usize> {
    diesel::update(
        session_rows::table
            .filter(session_rows::key_hash.eq(key.as_bytes()))
            .filter(session_rows::kind.eq(Subject::KIND))
            .filter(session_rows::principal.eq(run))
            .filter(session_rows::revoked_at.is_null()),
    )
    .set(session_rows::revoked_at.eq(now))
    .execute(conn)
}

/// The key hash of the newest session, as a reader of the table finds it.
pub fn newest_key_hash(conn: &mut PgConnection, run: Uuid) -> Result<Option<Vec<u8>>, Fault> {
    Ok(newest(run).select(session_rows::key_hash).first(conn).optional()?)
}

pub fn session_rows_of(conn: &mut PgConnection, run: Uuid) -> QueryResult<Vec<SessionRow>> {
    newest(run).select(SessionRow::as_select()).limit(ROWS_SHOWN).load(conn)
}

#[diesel::dsl::auto_type]
fn newest(run: Uuid) -> _ {
    session_rows::table
        .filter(session_rows::principal.eq(run))
        .filter(session_rows::kind.eq("lab"))
        .order(session_rows::created_at.desc())
}

// ---- the tokens that were issued ----

/// The newest first.
pub fn tokens_of(conn: &mut PgConnection, run: Uuid) -> QueryResult<Vec<TokenRow>> {
    let rows: Vec<(Uuid, String, Option<Moment>, Option<Moment>)> = lab_tokens::table
        .filter(lab_tokens::run.eq(run))
        .order((lab_tokens::issued_at.desc(), lab_tokens::kind))
        .limit(ROWS_SHOWN)
        .select((lab_tokens::jti, lab_tokens::kind, lab_tokens::used_at, lab_tokens::denied_at))
        .load(conn)?;
    let row = |(id, kind, used_at, denied_at): (Uuid, _, _, _)| TokenRow {
        id: id.to_string(),
        kind,
        used_at,
        denied_at,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Records the ids of issued tokens.
pub fn record_issued(
    conn: &mut PgConnection,
    run: Uuid,
    family: Uuid,
    tokens: &[(Uuid, TokenUse)],
) -> QueryResult<usize> {
    let rows: Vec<_> = tokens
        .iter()
        .map(|(jti, kind)| {
            (
                lab_tokens::jti.eq(*jti),
                lab_tokens::run.eq(run),
                lab_tokens::family.eq(family),
                lab_tokens::kind.eq(stored(*kind)),
            )
        })
        .collect();
    diesel::insert_into(lab_tokens::table).values(rows).execute(conn)
}

fn stored(kind: TokenUse) -> &'static str {
    match kind {
        TokenUse::Access => "access",
        TokenUse::Refresh => "refresh",
    }
}

/// A recorded token: its family, when it was used, when it was denied.
pub type IssuedToken = (Uuid, Option<Moment>, Option<Moment>);

pub fn token(conn: &mut PgConnection, run: Uuid, jti: Uuid) -> Result<Option<IssuedToken>, Fault> {
    Ok(lab_tokens::table
        .filter(lab_tokens::jti.eq(jti))
        .filter(lab_tokens::run.eq(run))
        .select((lab_tokens::family, lab_tokens::used_at, lab_tokens::denied_at))
        .for_update()
        .first(conn)
        .optional()?)
}

pub fn mark_used(conn: &mut PgConnection, jti: Uuid) -> QueryResult<usize> {
    diesel::update(lab_tokens::table.filter(lab_tokens::jti.eq(jti)))
        .set(lab_tokens::used_at.eq(now))
        .execute(conn)
}

/// Denies tokens of these kinds, of one family or of the whole run. Returns every access token that was not denied
/// before, whether or not `kinds` contains them.
pub fn deny(
    conn: &mut PgConnection,
    run: Uuid,
    family: Option<Uuid>,
    kinds: &[TokenUse],
) -> QueryResult<Vec<Uuid>> {
    let mut rows = lab_tokens::table
        .filter(lab_tokens::run.eq(run))
        .filter(lab_tokens::denied_at.is_null())
        .select((lab_tokens::jti, lab_tokens::kind))
        .into_boxed();
    if let Some(family) = family {
        rows = rows.filter(lab_tokens::family.eq(family));
    }
    let rows: Vec<(Uuid, String)> = rows.load(conn)?;
    let access: Vec<Uuid> =
        rows.iter().filter(|(_, kind)| kind == stored(TokenUse::Access)).map(|(jti, _)| *jti).collect();
    let denied: Vec<Uuid> = rows
        .iter()
        .filter(|(_, kind)| kinds.iter().any(|denied| kind == stored(*denied)))
        .map(|(jti, _)| *jti)
        .collect();
    diesel::update(lab_tokens::table.filter(lab_tokens::jti.eq_any(denied)))
        .set(lab_tokens::denied_at.eq(now))
        .execute(conn)?;
    Ok(access)
}

pub fn denied_at(conn: &mut PgConnection, jti: Uuid) -> Result<Option<Moment>, Fault> {
    Ok(lab_tokens::table
        .filter(lab_tokens::jti.eq(jti))
        .select(lab_tokens::denied_at)
        .first(conn)
        .optional()?
        .flatten())
}
