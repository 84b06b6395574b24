//! Writes apps with their origins and rules.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use uuid::Uuid;

use crate::apps::app::App;
use crate::apps::ids::AppId;
use crate::apps::origin::AppOrigin;
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
    write_origins(conn, app, &[])?;
    insert_rules(conn, app)
}

/// Deletes the origins that the app loses, so that another app can have them. Handoffs to these origins end with them.
pub(in crate::apps) fn delete_lost_origins(
    conn: &mut PgConnection,
    before: &App,
    after: &App,
) -> Result<(), Fault> {
    let lost: Vec<String> = before
        .origins
        .iter()
        .filter(|origin| !after.origins.contains(origin))
        .map(ToString::to_string)
        .collect();
    if !lost.is_empty() {
        // A handoff that is being completed locks the app and then its entry, so lock the app first here too.
        apps::table.find(before.id.0).for_no_key_update().select(apps::id).first::<Uuid>(conn)?;
        diesel::delete(app_origins::table.filter(app_origins::origin.eq_any(lost))).execute(conn)?;
    }
    Ok(())
}

/// Writes the new state of an app whose lost origins are deleted. Rows of origins that stay are kept, because handoffs
/// in flight depend on them.
pub(in crate::apps) fn update_app(conn: &mut PgConnection, before: &App, after: &App) -> Result<(), Fault> {
    diesel::update(apps::table.find(after.id.0)).set(AppRow::of(after)).execute(conn)?;
    if before.origins != after.origins {
        write_origins(conn, after, &before.origins)?;
    }
    if before.rules != after.rules {
        diesel::delete(app_rules::table.filter(app_rules::app.eq(after.id.0))).execute(conn)?;
        insert_rules(conn, after)?;
    }
    Ok(())
}

pub(in crate::apps) fn delete_app(conn: &mut PgConnection, app: AppId) -> Result<(), Fault> {
    diesel::delete(apps::table.find(app.0)).execute(conn)?;
    Ok(())
}

/// Inserts the origins that are not `stored`, and moves the others to their positions.
fn write_origins(conn: &mut PgConnection, app: &App, stored: &[AppOrigin]) -> Result<(), Fault> {
    // First to negative positions, because no two rows of an app may share one at any time.
    let own = app_origins::table.filter(app_origins::app.eq(app.id.0));
    diesel::update(own).set(app_origins::position.eq(app_origins::position * -1 - 1)).execute(conn)?;
    for (position, origin) in (0i32..).zip(&app.origins) {
        let text = origin.to_string();
        if stored.contains(origin) {
            diesel::update(app_origins::table.find(text))
                .set(app_origins::position.eq(position))
                .execute(conn)?;
        } else {
            diesel::insert_into(app_origins::table)
                .values((
                    app_origins::origin.eq(text),
                    app_origins::app.eq(app.id.0),
                    app_origins::host.eq(origin.host()),
                    app_origins::position.eq(position),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn insert_rules(conn: &mut PgConnection, app: &App) -> Result<(), Fault> {
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
