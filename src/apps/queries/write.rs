//! Writes apps with their origins and rules.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use uuid::Uuid;

use crate::apps::app::App;
use crate::apps::ids::AppId;
use crate::apps::queries::rows::{AppRow, RuleRow};
use crate::db::Fault;
use crate::db::schema::{app_origins, app_rules, apps, groups, users};
use crate::identity::{GroupName, UserId};

/// Makes concurrent changes wait for each other, because an app is compared with all others before it is stored.
pub(in crate::apps) fn lock_apps(conn: &mut PgConnection) -> Result<(), Fault> {
    sql_query("LOCK TABLE apps IN SHARE ROW EXCLUSIVE MODE").execute(conn)?;
    Ok(())
}

pub(in crate::apps) fn insert_app(conn: &mut PgConnection, app: &App) -> Result<(), Fault> {
    diesel::insert_into(apps::table).values(AppRow::of(app)).execute(conn)?;
    insert_parts(conn, app)
}

/// Deletes the origins and rules, so that another app can take over an origin before they are written again.
pub(in crate::apps) fn delete_parts(conn: &mut PgConnection, app: AppId) -> Result<(), Fault> {
    diesel::delete(app_origins::table.filter(app_origins::app.eq(app.0))).execute(conn)?;
    diesel::delete(app_rules::table.filter(app_rules::app.eq(app.0))).execute(conn)?;
    Ok(())
}

/// Writes the new state of an app whose parts are deleted.
pub(in crate::apps) fn update_app(conn: &mut PgConnection, app: &App) -> Result<(), Fault> {
    diesel::update(apps::table.find(app.id.0)).set(AppRow::of(app)).execute(conn)?;
    insert_parts(conn, app)
}

pub(in crate::apps) fn delete_app(conn: &mut PgConnection, app: AppId) -> Result<(), Fault> {
    diesel::delete(apps::table.find(app.0)).execute(conn)?;
    Ok(())
}

fn insert_parts(conn: &mut PgConnection, app: &App) -> Result<(), Fault> {
    let origins: Vec<_> = (0i32..)
        .zip(&app.origins)
        .map(|(position, origin)| {
            (
                app_origins::origin.eq(origin.to_string()),
                app_origins::app.eq(app.id.0),
                app_origins::host.eq(origin.host().to_owned()),
                app_origins::position.eq(position),
            )
        })
        .collect();
    diesel::insert_into(app_origins::table).values(origins).execute(conn)?;
    let rules: Vec<RuleRow> =
        (0i32..).zip(&app.rules).map(|(position, rule)| RuleRow::of(app.id, position, rule)).collect();
    diesel::insert_into(app_rules::table).values(rules).execute(conn)?;
    Ok(())
}

/// The groups among `names` that exist. None of them can be deleted until the transaction ends.
pub(in crate::apps) fn existing_groups(
    conn: &mut PgConnection,
    names: &[&GroupName],
) -> Result<Vec<String>, Fault> {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    Ok(groups::table.filter(groups::name.eq_any(names)).select(groups::name).for_key_share().load(conn)?)
}

/// The users among `ids` that exist.
pub(in crate::apps) fn existing_users(conn: &mut PgConnection, ids: &[UserId]) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let found: Vec<Uuid> = users::table.filter(users::id.eq_any(ids)).select(users::id).load(conn)?;
    Ok(found.into_iter().map(UserId).collect())
}

/// The email addresses of these users.
pub(in crate::apps) fn addresses(
    conn: &mut PgConnection,
    ids: &[UserId],
) -> Result<Vec<(UserId, String)>, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<(Uuid, String)> =
        users::table.filter(users::id.eq_any(ids)).select((users::id, users::email)).load(conn)?;
    Ok(rows.into_iter().map(|(id, email)| (UserId(id), email)).collect())
}

pub(in crate::apps) fn insert_groups(conn: &mut PgConnection, names: &[GroupName]) -> Result<(), Fault> {
    let rows: Vec<_> = names.iter().map(|name| groups::name.eq(name.as_str())).collect();
    diesel::insert_into(groups::table).values(rows).on_conflict_do_nothing().execute(conn)?;
    Ok(())
}
