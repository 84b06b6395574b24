//! The tables of groups.

use diesel::dsl::{count_star, exists, max};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::{app_rules, apps, group_members, groups, users};
use crate::identity::{GroupName, UserId};

/// A group with the number of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    pub name: GroupName,
    pub note: String,
    pub members: i64,
    /// When a member joined last; `None`: there is no member.
    pub last_joined_at: Option<OffsetDateTime>,
    /// The slugs of the apps whose rules name the group.
    pub used_by: Vec<String>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub since: OffsetDateTime,
    /// The name of the administrator; `None`: the operator, or an administrator whose account was deleted.
    pub added_by: Option<String>,
}

pub(super) fn groups(conn: &mut PgConnection, only: Option<&GroupName>) -> Result<Vec<GroupRow>, Fault> {
    let mut rows = groups::table.order(groups::name).select((groups::name, groups::note)).into_boxed();
    if let Some(name) = only {
        rows = rows.filter(groups::name.eq(name.as_str()));
    }
    let rows = rows.load(conn)?;
    with_uses(conn, rows)
}

/// Groups by name: `limit` of them after `after`.
pub(super) fn groups_after(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<GroupRow>, Fault> {
    let mut rows =
        groups::table.order(groups::name).limit(limit).select((groups::name, groups::note)).into_boxed();
    if let Some(after) = after {
        rows = rows.filter(groups::name.gt(after));
    }
    let rows = rows.load(conn)?;
    with_uses(conn, rows)
}

/// Groups, from their names and notes, with the number of members and the apps that name them.
fn with_uses(conn: &mut PgConnection, rows: Vec<(String, String)>) -> Result<Vec<GroupRow>, Fault> {
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let members: Vec<(String, i64, Option<OffsetDateTime>)> = group_members::table
        .filter(group_members::group_name.eq_any(names))
        .group_by(group_members::group_name)
        .select((group_members::group_name, count_star(), max(group_members::since)))
        .load(conn)?;
    let used: Vec<(String, Vec<Option<String>>)> = app_rules::table
        .inner_join(apps::table)
        .order(apps::slug)
        .select((apps::slug, app_rules::groups))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|(text, note)| {
            // Older versions accepted names that no URL can contain.
            let name = GroupName::parse(&text).ok()?;
            let of_group = members.iter().find(|(group, ..)| *group == text);
            let (count, last_joined_at) = of_group.map_or((0, None), |(_, count, last)| (*count, *last));
            let users = used.iter().filter(|(_, named)| named.iter().flatten().any(|named| *named == text));
            let mut used_by: Vec<String> = users.map(|(slug, _)| slug.clone()).collect();
            used_by.dedup();
            Some(GroupRow { name, note, members: count, last_joined_at, used_by })
        })
        .collect())
}

pub(super) fn members(conn: &mut PgConnection, group: &GroupName) -> Result<Vec<MemberRow>, Fault> {
    let administrators = diesel::alias!(users as administrators);
    let rows: Vec<(Uuid, String, String, OffsetDateTime, Option<String>)> = group_members::table
        .inner_join(users::table.on(users::id.eq(group_members::user_id)))
        .left_join(administrators.on(administrators.field(users::id).nullable().eq(group_members::added_by)))
        .filter(group_members::group_name.eq(group.as_str()))
        .order((users::name, users::id))
        .select((
            users::id,
            users::name,
            users::email,
            group_members::since,
            administrators.field(users::name).nullable(),
        ))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, name, email, since, added_by)| MemberRow {
            user: UserId(id),
            name,
            email,
            since,
            added_by,
        })
        .collect())
}

pub(crate) fn groups_of(conn: &mut PgConnection, user: UserId) -> Result<Vec<GroupName>, Fault> {
    let names: Vec<String> = group_members::table
        .filter(group_members::user_id.eq(user.0))
        .order(group_members::group_name)
        .select(group_members::group_name)
        .load(conn)?;
    Ok(names.iter().filter_map(|name| GroupName::parse(name).ok()).collect())
}

/// `false` if there is already a group with this name.
pub(super) fn insert_group(conn: &mut PgConnection, name: &GroupName, note: &str) -> Result<bool, Fault> {
    let row = (groups::name.eq(name.as_str()), groups::note.eq(note));
    Ok(diesel::insert_into(groups::table).values(row).on_conflict_do_nothing().execute(conn)? > 0)
}

/// Locks a group, so that no rule can name it and no user can join it, and returns its note; `None` if there is no such
/// group.
pub(super) fn lock_group(conn: &mut PgConnection, name: &GroupName) -> Result<Option<String>, Fault> {
    let row = groups::table.find(name.as_str()).select(groups::note).for_update();
    Ok(row.first(conn).optional()?)
}

pub(super) fn set_note(conn: &mut PgConnection, name: &GroupName, note: &str) -> Result<(), Fault> {
    diesel::update(groups::table.find(name.as_str())).set(groups::note.eq(note)).execute(conn)?;
    Ok(())
}

/// The slugs of the apps whose rules name the group.
pub(super) fn users_of(conn: &mut PgConnection, name: &GroupName) -> Result<Vec<String>, Fault> {
    let named = app_rules::groups.contains(vec![Some(name.as_str().to_owned())]);
    let rules = app_rules::table.filter(app_rules::app.eq(apps::id)).filter(named);
    Ok(apps::table.filter(exists(rules)).order(apps::slug).select(apps::slug).load(conn)?)
}

pub(super) fn delete_group(conn: &mut PgConnection, name: &GroupName) -> Result<(), Fault> {
    diesel::delete(groups::table.find(name.as_str())).execute(conn)?;
    Ok(())
}

/// `false` if the user is a member already.
pub(super) fn insert_member(
    conn: &mut PgConnection,
    group: &GroupName,
    user: UserId,
    added_by: Option<UserId>,
) -> Result<bool, Fault> {
    let row = (
        group_members::group_name.eq(group.as_str()),
        group_members::user_id.eq(user.0),
        group_members::added_by.eq(added_by.map(|admin| admin.0)),
    );
    Ok(diesel::insert_into(group_members::table).values(row).on_conflict_do_nothing().execute(conn)? > 0)
}

/// `false` if the user is not a member.
pub(super) fn delete_member(conn: &mut PgConnection, group: &GroupName, user: UserId) -> Result<bool, Fault> {
    Ok(diesel::delete(group_members::table.find((group.as_str(), user.0))).execute(conn)? > 0)
}
