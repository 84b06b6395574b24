//! `latchkey app list` and `latchkey app show`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::registered::find;
use crate::accounts::Accounts;
use crate::apps::{App, AppsFile, StoredApps, UnreadableApp};
use crate::cli::Failure;
use crate::web::copy::access::{UserEmails, when, who};

pub async fn list(accounts: &Accounts, as_json: bool) -> Result<(), Failure> {
    let StoredApps { apps, unreadable } = accounts.apps.stored().await?;
    if !as_json {
        match apps.is_empty() && unreadable.is_empty() {
            true => print_line!("No apps."),
            false => {
                print_line!("{:<20} {:<10} {:<7} {:<40} UPSTREAM", "SHORT NAME", "STATE", "RULES", "ADDRESS")
            }
        }
    }
    for app in &apps {
        print_line!("{}", if as_json { object(app).to_string() } else { line(app) });
    }
    for app in &unreadable {
        let line = if as_json { unreadable_object(app).to_string() } else { unreadable_line(app) };
        print_line!("{line}");
    }
    Ok(())
}

fn unreadable_object(app: &UnreadableApp) -> Value {
    json!({ "id": app.id.0, "slug": app.slug, "name": app.name, "origins": app.origins, "unreadable": app.column })
}

fn unreadable_line(app: &UnreadableApp) -> String {
    let origin = app.origins.first().map(String::as_str).unwrap_or_default();
    format!("{:<20} {:<10} {:<7} {:<40} unknown value in {}", app.slug, "unreadable", "-", origin, app.column)
}

fn object(app: &App) -> Value {
    let origins: Vec<String> = app.origins.iter().map(ToString::to_string).collect();
    json!({ "id": app.id.0, "slug": app.slug.as_str(), "name": app.name, "enabled": app.enabled,
        "mode": app.mode.as_str(), "origins": origins, "upstream": app.upstream.as_ref().map(ToString::to_string),
        "rules": app.rules.len(), "source": app.source.as_str() })
}

fn line(app: &App) -> String {
    let origin = app.origins.first().map(ToString::to_string).unwrap_or_default();
    let upstream = app.upstream.as_ref().map(ToString::to_string).unwrap_or_default();
    let state = if app.enabled { "enabled" } else { "disabled" };
    format!("{:<20} {:<10} {:<7} {:<40} {}", app.slug.as_str(), state, app.rules.len(), origin, upstream)
}

pub async fn show(accounts: &Accounts, slug: &str, as_json: bool) -> Result<(), Failure> {
    let app = find(accounts, slug).await?;
    let file = accounts.apps.export_one(&app).await?;
    if as_json {
        print_line!("{}", entry(&file, slug));
        return Ok(());
    }
    let upstream = app.upstream.as_ref().map(ToString::to_string).unwrap_or_else(|| "none".into());
    print_line!("{:<10} {}", "name", app.name);
    print_line!("{:<10} {}", "state", if app.enabled { "enabled" } else { "disabled" });
    for origin in &app.origins {
        print_line!("{:<10} {origin}", "address");
    }
    print_line!("{:<10} {upstream}", "upstream");
    print_line!("{:<10} {}", "from", app.source.as_str());
    print_rules(accounts, &app).await
}

/// The app in the format of the file, with its slug and source.
fn entry(file: &AppsFile, slug: &str) -> Value {
    let mut entry = serde_json::to_value(file).unwrap_or_default()["apps"][slug].take();
    entry["slug"] = json!(slug);
    entry
}

/// The rules, one per line, in the order in which they are checked.
pub async fn print_rules(accounts: &Accounts, app: &App) -> Result<(), Failure> {
    let emails: UserEmails = accounts.apps.addresses_in(app).await?.into_iter().collect::<HashMap<_, _>>();
    for (position, rule) in (1..).zip(&app.rules) {
        let note = if rule.note.is_empty() { String::new() } else { format!(" ({})", rule.note) };
        print_line!("rule {position}: {}: {}{note}", when(&rule.when), who(rule, &emails));
    }
    Ok(())
}
