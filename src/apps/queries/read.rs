//! Reads apps with their origins and rules.

use std::collections::HashMap;

use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::apps::app::App;
use crate::apps::queries::rows::{AppRow, RuleRow};
use crate::db::Fault;
use crate::db::schema::{app_origins, app_rules, apps};

/// All apps, by slug. Call it in one transaction, so that the three queries see the same moment.
pub(in crate::apps) fn all_apps(conn: &mut PgConnection) -> Result<Vec<App>, Fault> {
    let rows: Vec<AppRow> = apps::table.order(apps::slug).select(AppRow::as_select()).load(conn)?;
    let mut origins: HashMap<Uuid, Vec<String>> = HashMap::new();
    let order = (app_origins::app, app_origins::position);
    for (app, origin) in
        app_origins::table.order(order).select((app_origins::app, app_origins::origin)).load(conn)?
    {
        origins.entry(app).or_default().push(origin);
    }
    let mut rules: HashMap<Uuid, Vec<RuleRow>> = HashMap::new();
    let order = (app_rules::app, app_rules::position);
    for rule in app_rules::table.order(order).select(RuleRow::as_select()).load(conn)? {
        rules.entry(rule.app).or_default().push(rule);
    }
    rows.into_iter()
        .map(|row| {
            let id = row.id;
            row.app(origins.remove(&id).unwrap_or_default(), rules.remove(&id).unwrap_or_default())
        })
        .collect()
}
