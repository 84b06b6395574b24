//! The settings of an app.

use super::support::{add_wiki, administrator, app, send};
use crate::support::browser::{Answer, Browser};

const NAMES: [&str; 18] = [
    "name",
    "origins",
    "upstream",
    "remote_user",
    "header_user",
    "header_email",
    "header_name",
    "header_groups",
    "upstream_host",
    "ignore_case",
    "also_from",
    "app_cookies",
    "explain",
    "max_body",
    "connect",
    "head",
    "idle",
    "max_in_flight",
];

/// The fields as the page shows them, with other values for some.
async fn save(admin: &mut Browser, changes: &[(&str, &str)]) -> Answer {
    let page = admin.get("/admin/apps/wiki").await;
    let shown = |name: &str| {
        page.attribute(&format!("select#{name} option[selected]"), "value")
            .or_else(|| page.attribute(&format!("input#{name}:not([type=checkbox])"), "value"))
            .unwrap_or_default()
    };
    let fields: Vec<(&str, String)> = NAMES
        .iter()
        .map(|name| {
            let changed = changes.iter().find(|(changed, _)| changed == name);
            (*name, changed.map_or_else(|| shown(name), |(_, value)| (*value).to_owned()))
        })
        .filter(|(name, value)| *name != "ignore_case" || !value.is_empty())
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(admin, "/admin/apps/wiki/settings", &fields).await
}

#[actix_web::test]
async fn settings_are_saved_and_shown_as_they_were_entered() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let changes = [
        ("name", "The wiki"),
        ("origins", "https://wiki.example.org https://w.example.org:8443"),
        ("upstream", "https://wiki.internal"),
        ("remote_user", "email"),
        ("header_user", "X-WebAuth-User"),
        ("upstream_host", "upstream"),
        ("ignore_case", "1"),
        ("also_from", "https://example.org"),
        ("app_cookies", "sid theme"),
        ("explain", "groups"),
        ("max_body", "25"),
        ("connect", "3"),
        ("head", "120"),
        ("idle", "600"),
        ("max_in_flight", "32"),
    ];
    save(&mut admin, &changes).await.redirects_to("/admin/apps/wiki");
    let page = admin.get("/admin/apps/wiki").await;
    page.has_flash("app-changed").says("https://w.example.org:8443").says("https://wiki.internal");
    for (name, value) in changes {
        let shown = match name {
            "ignore_case" => page.attribute("#ignore_case[checked]", "value"),
            "remote_user" | "upstream_host" | "explain" => {
                page.attribute(&format!("#{name} option[selected]"), "value")
            }
            _ => page.attribute(&format!("#{name}"), "value"),
        };
        assert_eq!(shown.as_deref(), Some(value), "{name}");
    }
    // Nothing is lost by saving one field.
    save(&mut admin, &[("name", "Wiki"), ("ignore_case", "1")]).await.is(303);
    let stored: i64 = app.db.scalar(
        "SELECT count(*) FROM apps WHERE name = 'Wiki' AND remote_user = 'email' AND ignore_case AND max_body = 25000000 \
         AND idle_ms = 600000 AND max_in_flight = 32 AND app_cookies = '{sid,theme}'",
    );
    assert_eq!(stored, 1);
    assert_eq!(app.events("app.changed"), 2);
}

#[actix_web::test]
async fn each_setting_is_refused_with_its_reason() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    for (field, value, reason) in [
        ("name", "", "empty"),
        ("origins", "", "no-origin"),
        ("origins", "http://wiki.example.org", "not-https"),
        ("origins", "https://wiki.example.org https://wiki.example.org:8443", "same-host"),
        ("upstream", "ftp://wiki", "invalid-upstream"),
        ("remote_user", "name", "unknown-choice"),
        ("header_user", "Cookie", "standard-header"),
        ("header_email", "Remote_Email", "invalid-header"),
        ("header_groups", "remote-user", "duplicate-header"),
        ("also_from", "example.org", "invalid-origin"),
        ("app_cookies", "a=b", "invalid-cookie"),
        ("connect", "soon", "out-of-range"),
        ("idle", "0", "out-of-range"),
        ("head", "86400", "out-of-range"),
        ("max_in_flight", "0", "out-of-range"),
        ("max_body", "-1", "out-of-range"),
    ] {
        let refused = save(&mut admin, &[(field, value)]).await;
        refused.is(422).is_page("admin/apps/slug").is_refused(reason);
    }
    assert_eq!(app.events("app.changed"), 0);
}
