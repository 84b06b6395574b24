//! What administrators look at.

use diesel::dsl::{count_star, exists};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Date, Text};
use time::OffsetDateTime;
use uuid::Uuid;

use super::containing_address;
use crate::accounts::{Role, UserId};
use crate::db::Fault;
use crate::db::schema::sessions;
use crate::db::schema::users::{self, dsl};

/// A user as the lists show them.
#[derive(Clone)]
pub struct UserRow {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub disabled: bool,
    /// They asked to be deleted.
    pub leaving: bool,
    pub sessions: i64,
    pub created_at: OffsetDateTime,
    pub last_login_at: Option<OffsetDateTime>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    name: String,
    email: String,
    role: String,
    disabled_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    last_login_at: Option<OffsetDateTime>,
    delete_after: Option<OffsetDateTime>,
}

pub(in crate::accounts) fn users(
    conn: &mut PgConnection,
    q: &str,
    limit: i64,
    offset: i64,
) -> Result<(Vec<UserRow>, i64), Fault> {
    let [typed, unicode, ascii] = containing_address(q);
    let matching = || users::table.filter(matches(&typed, &unicode, &ascii));
    let total = matching().count().get_result(conn)?;
    let rows = matching()
        .order((dsl::created_at.desc(), dsl::id))
        .limit(limit)
        .offset(offset)
        .select(Row::as_select())
        .load(conn)?;
    Ok((with_session_counts(conn, rows)?, total))
}

/// Whether name or address of a row is like what was typed, or the address like one of its other spellings.
#[diesel::dsl::auto_type]
fn matches<'a>(typed: &'a str, unicode: &'a str, ascii: &'a str) -> _ {
    dsl::name
        .ilike(typed)
        .or(dsl::email.ilike(typed))
        .or(dsl::email.ilike(unicode))
        .or(dsl::email.ilike(ascii))
}

pub(in crate::accounts) fn user_rows(conn: &mut PgConnection, ids: &[UserId]) -> Result<Vec<UserRow>, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = users::table.filter(dsl::id.eq_any(ids)).select(Row::as_select()).load(conn)?;
    with_session_counts(conn, rows)
}

pub(in crate::accounts) fn user_row(conn: &mut PgConnection, id: UserId) -> Result<Option<UserRow>, Fault> {
    Ok(user_rows(conn, &[id])?.pop())
}

/// Everybody whose name or address has `q` in it. A search that finds thousands is no search.
pub(in crate::accounts) fn user_ids(conn: &mut PgConnection, q: &str) -> Result<Vec<UserId>, Fault> {
    let [typed, unicode, ascii] = containing_address(q);
    let ids: Vec<Uuid> =
        users::table.filter(matches(&typed, &unicode, &ascii)).limit(5000).select(dsl::id).load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(in crate::accounts) fn is_last_admin(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let active_admins = users::table
        .filter(dsl::role.eq(Role::Admin.as_str()))
        .filter(dsl::disabled_at.is_null())
        .filter(dsl::delete_after.is_null());
    let is_one: bool = diesel::select(exists(active_admins.filter(dsl::id.eq(id.0)))).get_result(conn)?;
    let others: bool = diesel::select(exists(active_admins.filter(dsl::id.ne(id.0)))).get_result(conn)?;
    Ok(is_one && !others)
}

fn with_session_counts(conn: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<UserRow>, Fault> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let counts: Vec<(Uuid, i64)> = sessions::table
        .filter(sessions::principal.eq_any(ids))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(diesel::dsl::now))
        .group_by(sessions::principal)
        .select((sessions::principal, count_star()))
        .load(conn)?;
    rows.into_iter()
        .map(|row| {
            let sessions =
                counts.iter().find(|(principal, _)| *principal == row.id).map_or(0, |(_, count)| *count);
            Ok(UserRow {
                id: row.id,
                name: row.name,
                email: row.email,
                role: Role::parse(&row.role)
                    .ok_or_else(|| Fault::Bug(format!("unknown role {:?}", row.role)))?,
                disabled: row.disabled_at.is_some(),
                leaving: row.delete_after.is_some(),
                sessions,
                created_at: row.created_at,
                last_login_at: row.last_login_at,
            })
        })
        .collect()
}

/// One day of one figure.
#[derive(Clone, QueryableByName)]
pub struct Day {
    #[diesel(sql_type = Date)]
    pub day: time::Date,
    #[diesel(sql_type = BigInt)]
    pub value: i64,
}

/// The figures of the overview, each over the last two weeks.
pub struct Numbers {
    pub people: i64,
    pub live_sessions: i64,
    pub registrations: Vec<Day>,
    pub log_ins: Vec<Day>,
    pub refusals: Vec<Day>,
    pub opened: Vec<Day>,
}

pub(in crate::accounts) fn numbers(conn: &mut PgConnection, live_sessions: i64) -> Result<Numbers, Fault> {
    Ok(Numbers {
        people: users::table.count().get_result(conn)?,
        live_sessions,
        registrations: per_day(
            conn,
            "SELECT created_at AS at FROM users WHERE $1 <> '' AND created_at >= current_date - 13",
            "any",
        )?,
        opened: per_day(
            conn,
            "SELECT created_at AS at FROM sessions WHERE kind = 'user' AND $1 <> '' AND created_at >= current_date - 13",
            "any",
        )?,
        log_ins: per_day(
            conn,
            "SELECT at FROM audit_events WHERE act = $1 AND at >= current_date - 13",
            "logged-in",
        )?,
        refusals: per_day(
            conn,
            "SELECT at FROM audit_events WHERE act = $1 AND at >= current_date - 13",
            "log-in-refused",
        )?,
    })
}

fn per_day(conn: &mut PgConnection, moments: &'static str, of: &str) -> Result<Vec<Day>, Fault> {
    Ok(sql_query(format!(
        "SELECT d::date AS day, coalesce(m.value, 0) AS value \
         FROM generate_series(current_date - 13, current_date, '1 day') d \
         LEFT JOIN (SELECT at::date AS day, count(*) AS value FROM ({moments}) m GROUP BY 1) m ON m.day = d::date \
         ORDER BY d"
    ))
    .bind::<Text, _>(of)
    .load(conn)?)
}
