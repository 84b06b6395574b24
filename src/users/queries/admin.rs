//! Lists and figures for administrators.

use diesel::dsl::count_star;
use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel::sql_types::Date;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::identity::queries::containing_address;
use crate::identity::{Role, UserId};
use latchkey_sessions::schema::sessions;

/// A user as the lists show them.
#[derive(Clone)]
pub struct UserRow {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub disabled: bool,
    /// The user requested the deletion of the account.
    pub leaving: bool,
    pub sessions: i64,
    pub created_at: OffsetDateTime,
    pub last_login_at: Option<OffsetDateTime>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub(super) struct UserRowColumns {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub role: String,
    pub disabled_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub last_login_at: Option<OffsetDateTime>,
    pub delete_after: Option<OffsetDateTime>,
}

pub(crate) fn users(
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
        .select(UserRowColumns::as_select())
        .load(conn)?;
    Ok((with_session_counts(conn, rows)?, total))
}

/// Whether the name or the address contains the search text, or the address one of its other spellings.
#[diesel::dsl::auto_type]
pub(super) fn matches<'a>(typed: &'a str, unicode: &'a str, ascii: &'a str) -> _ {
    dsl::name
        .ilike(typed)
        .or(dsl::email.ilike(typed))
        .or(dsl::email.ilike(unicode))
        .or(dsl::email.ilike(ascii))
}

pub(crate) fn user_rows(conn: &mut PgConnection, ids: &[UserId]) -> Result<Vec<UserRow>, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = users::table.filter(dsl::id.eq_any(ids)).select(UserRowColumns::as_select()).load(conn)?;
    with_session_counts(conn, rows)
}

pub(crate) fn user_row(conn: &mut PgConnection, id: UserId) -> Result<Option<UserRow>, Fault> {
    Ok(user_rows(conn, &[id])?.pop())
}

/// Users whose name or address contains `q`, at most 5,000.
pub(crate) fn user_ids(conn: &mut PgConnection, q: &str) -> Result<Vec<UserId>, Fault> {
    let [typed, unicode, ascii] = containing_address(q);
    let ids: Vec<Uuid> =
        users::table.filter(matches(&typed, &unicode, &ascii)).limit(5000).select(dsl::id).load(conn)?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(crate) fn is_last_admin(conn: &mut PgConnection, id: UserId) -> Result<bool, Fault> {
    let active_admins = users::table
        .filter(dsl::role.eq(Role::Admin.as_str()))
        .filter(dsl::disabled_at.is_null())
        .filter(dsl::delete_after.is_null());
    let is_one: bool = diesel::select(exists(active_admins.filter(dsl::id.eq(id.0)))).get_result(conn)?;
    let others: bool = diesel::select(exists(active_admins.filter(dsl::id.ne(id.0)))).get_result(conn)?;
    Ok(is_one && !others)
}

fn with_session_counts(conn: &mut PgConnection, rows: Vec<UserRowColumns>) -> Result<Vec<UserRow>, Fault> {
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
                    .ok_or_else(|| Fault::bug(format_args!("unknown role {:?}", row.role)))?,
                disabled: row.disabled_at.is_some(),
                leaving: row.delete_after.is_some(),
                sessions,
                created_at: row.created_at,
                last_login_at: row.last_login_at,
            })
        })
        .collect()
}

/// One figure of one day, in UTC regardless of the database's time zone.
#[derive(Clone, QueryableByName)]
pub struct DayCount {
    #[diesel(sql_type = Date)]
    pub day: time::Date,
    #[diesel(sql_type = BigInt)]
    pub value: i64,
}

/// The figures of the overview, for each of the last 14 days; the last day is today.
pub struct DailyFigures {
    /// Users at the end of each day, of those who exist today.
    pub people: Vec<DayCount>,
    /// Sessions that were live at the end of each day.
    pub live_sessions: Vec<DayCount>,
    pub registrations: Vec<DayCount>,
    pub opened: Vec<DayCount>,
    pub log_ins: Vec<DayCount>,
    pub refusals: Vec<DayCount>,
}

/// When sessions ended, revoked or expired.
const ENDED: &str = "SELECT least(revoked_at, expires_at) AS at FROM sessions \
    WHERE kind = 'user' AND least(revoked_at, expires_at) <= now()";

pub(crate) fn daily_figures(conn: &mut PgConnection, live_sessions: i64) -> Result<DailyFigures, Fault> {
    let people: i64 = users::table.count().get_result(conn)?;
    let registrations = per_day(conn, "SELECT created_at AS at FROM users")?;
    let opened = per_day(conn, "SELECT created_at AS at FROM sessions WHERE kind = 'user'")?;
    let ended = per_day(conn, ENDED)?;
    Ok(DailyFigures {
        people: totals_per_day(people, &registrations, &[]),
        live_sessions: totals_per_day(live_sessions, &opened, &ended),
        registrations,
        opened,
        log_ins: per_day(conn, "SELECT at FROM audit_events WHERE act = 'logged-in'")?,
        refusals: per_day(conn, "SELECT at FROM audit_events WHERE act = 'log-in-refused'")?,
    })
}

/// How many of `moments` fall on each of the last 14 days.
fn per_day(conn: &mut PgConnection, moments: &'static str) -> Result<Vec<DayCount>, Fault> {
    Ok(sql_query(format!(
        "WITH today AS (SELECT (now() AT TIME ZONE 'UTC')::date AS day) \
         SELECT d::date AS day, coalesce(m.value, 0) AS value \
         FROM today, generate_series(today.day - 13, today.day, '1 day') d \
         LEFT JOIN (SELECT (at AT TIME ZONE 'UTC')::date AS day, count(*) AS value FROM ({moments}) m \
             WHERE at >= ((SELECT day FROM today) - 13)::timestamp AT TIME ZONE 'UTC' GROUP BY 1) m ON m.day = d::date \
         ORDER BY d"
    ))
    .load(conn)?)
}

/// The total at the end of each day, computed backwards from the total now.
fn totals_per_day(now: i64, added: &[DayCount], removed: &[DayCount]) -> Vec<DayCount> {
    let mut level = now;
    let mut totals_per_day: Vec<DayCount> = added
        .iter()
        .enumerate()
        .rev()
        .map(|(at, day)| {
            let value = level.max(0);
            level += removed.get(at).map_or(0, |day| day.value) - day.value;
            DayCount { day: day.day, value }
        })
        .collect();
    totals_per_day.reverse();
    totals_per_day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_lead_back_from_today() {
        let day = time::Date::from_calendar_date(2026, time::Month::May, 1).unwrap();
        let days = |values: [i64; 4]| values.map(|value| DayCount { day, value });
        let of = |now, added, removed: [i64; 4]| {
            totals_per_day(now, &days(added), &days(removed))
                .into_iter()
                .map(|day| day.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(10, [1, 2, 0, 3], [0; 4]), [5, 7, 7, 10]);
        assert_eq!(of(2, [5, 0, 4, 1], [0, 3, 3, 2]), [5, 2, 3, 2]);
        // The counts are read by separate statements, so they may contradict each other.
        assert_eq!(of(0, [0, 0, 0, 1], [0; 4]), [0, 0, 0, 0]);
    }
}
