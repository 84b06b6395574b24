//! Reads apps with their origins and rules.

use diesel::dsl::array;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::apps::app::App;
use crate::apps::queries::rows::{AppRow, RuleRow};
use crate::db::Fault;
use crate::db::schema::{app_origins, app_rules, apps};

/// All apps, by slug. One statement, so that an app is never read with the rules of another moment.
pub(in crate::apps) fn all_apps(conn: &mut PgConnection) -> Result<Vec<App>, Fault> {
    let origins = app_origins::table
        .filter(app_origins::app.eq(apps::id))
        .order(app_origins::position)
        .select(app_origins::origin);
    // An app comes once a rule, and once if it has none.
    let rows: Vec<(AppRow, Option<RuleRow>, Vec<String>)> = apps::table
        .left_join(app_rules::table)
        .order((apps::slug, app_rules::position))
        .select((AppRow::as_select(), Option::<RuleRow>::as_select(), array::<Text, _>(origins)))
        .load(conn)?;
    let mut read: Vec<(AppRow, Vec<RuleRow>, Vec<String>)> = Vec::new();
    for (app, rule, origins) in rows {
        match read.last_mut().filter(|(last, ..)| last.id == app.id) {
            Some((_, rules, _)) => rules.extend(rule),
            None => read.push((app, rule.into_iter().collect(), origins)),
        }
    }
    read.into_iter().map(|(app, rules, origins)| app.app(origins, rules)).collect()
}
