//! An administrator who may add apps on the pages.

use latchkey::config::UpstreamsFrom;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

/// An instance on which administrators set upstreams.
pub fn app() -> TestApp {
    TestApp::spawn_with(|settings| settings.apps.upstreams_from = UpstreamsFrom::Admin)
}

/// The browser of Grace, who has just logged in.
pub async fn administrator(app: &TestApp) -> Browser {
    let grace = app.grace().await;
    app.logged_in(&grace).await
}

/// Adds the app `wiki` with the form.
pub async fn add_wiki(admin: &mut Browser) {
    let fields = [("name", "Wiki"), ("slug", "wiki"), ("upstream", "http://127.0.0.1:3000")];
    admin.fill_in("/admin/apps", &fields).await.redirects_to("/admin/apps/wiki");
}

/// Adds a rule with the form on the page of the app `wiki`.
pub async fn add_rule(admin: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    send(admin, "/admin/apps/wiki/rules", fields).await
}

/// Sends a form of the page of the app `wiki`, with what that page says it shows.
pub async fn send(admin: &mut Browser, action: &str, fields: &[(&str, &str)]) -> Answer {
    let page = admin.get("/admin/apps/wiki").await;
    let seen = page.is(200).attribute("input[name=seen]", "value").expect("a fingerprint");
    let mut fields = fields.to_vec();
    fields.push(("seen", &seen));
    admin.post(action, &fields).await
}

/// The rules on the page of the app `wiki`, one line each: which requests, and who gets in.
pub async fn rules(admin: &mut Browser) -> Vec<String> {
    let page = admin.get("/admin/apps/wiki").await;
    let count = page.is(200).count("[data-rule]");
    (1..=count)
        .map(|number| {
            let text = |tag: &str| page.text(&format!("[data-rule='{number}'] {tag}")).unwrap_or_default();
            let words = format!("{}: {}", text("h3"), text("p"));
            words.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}
