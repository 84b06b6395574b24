//! Reads apps with their origins and rules.

use diesel::dsl::array;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::apps::ids::AppId;
use crate::apps::queries::rows::{AppRow, RuleRow};
use crate::apps::stored::{StoredApps, UnreadableApp};
use crate::db::Fault;
use crate::db::schema::{app_origins, app_rules, apps};

/// The origins of an app and their hosts, in order.
type OriginColumns = (Vec<String>, Vec<String>);

/// All apps, by slug. One statement, so that an app is never read with the rules of another moment.
pub(in crate::apps) fn stored_apps(conn: &mut PgConnection) -> Result<StoredApps, Fault> {
    let of_app = || app_origins::table.filter(app_origins::app.eq(apps::id)).order(app_origins::position);
    let origins = array::<Text, _>(of_app().select(app_origins::origin));
    let hosts = array::<Text, _>(of_app().select(app_origins::host));
    // An app has one row per rule, and one row if it has no rules.
    let rows: Vec<(AppRow, Option<RuleRow>, OriginColumns)> = apps::table
        .left_join(app_rules::table)
        .order((apps::slug, app_rules::position))
        .select((AppRow::as_select(), Option::<RuleRow>::as_select(), (origins, hosts)))
        .load(conn)?;
    let mut read: Vec<(AppRow, Vec<RuleRow>, OriginColumns)> = Vec::new();
    for (app, rule, origins) in rows {
        match read.last_mut().filter(|(last, ..)| last.id == app.id) {
            Some((_, rules, _)) => rules.extend(rule),
            None => read.push((app, rule.into_iter().collect(), origins)),
        }
    }
    let mut stored = StoredApps::default();
    for (row, rules, (origins, hosts)) in read {
        let (id, slug, name) = (AppId(row.id), row.slug.clone(), row.name.clone());
        match row.app(&origins, rules) {
            Ok(app) => stored.apps.push(app),
            Err(column) => {
                stored.unreadable.push(UnreadableApp { id, slug, name, origins, hosts, column });
            }
        }
    }
    Ok(stored)
}
