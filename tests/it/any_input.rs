//! Any input in any form gets a response without a fault, and the server still works afterwards.

use latchkey::web::routes::{self, Method};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use crate::security_page;
use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;

/// Text that users type, text that programs send, and hostile text.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        4 => "\\PC{0,40}",
        2 => "[ \\t\\r\\n%&=+;'\"<>{}\\\\/.:@,$()\\[\\]*_-]{0,30}",
        1 => "[a-z\\u{300}\\u{202e}\\u{1f600}\\u{10ffff}ßİ]{0,200}",
        1 => "[0-9-]{1,40}",
        1 => "[A-Za-z0-9_-]{43}",
        1 => "[a-z]{1,9}@[a-z]{1,9}[.]org",
        1 => proptest::sample::select(&["admin", "member", "1", "on", "/home", "//evil.example", "ada@example.org"][..])
            .prop_map(str::to_owned),
        1 => (1000usize..20_000).prop_map(|times| "ä".repeat(times)),
    ]
}

/// Posts with this browser's token.
async fn post(browser: &mut Browser, path: &str, fields: &[(String, String)]) -> u16 {
    let typed: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post(path, &typed).await;
    assert!(answer.status < 500, "{path} answers {} to {fields:?}", answer.status);
    answer.status
}

/// A browser that may send every form. It logs in again when a form has logged it out.
async fn inside(app: &TestApp, person: &Person, browser: Option<Browser>) -> Browser {
    if let Some(mut browser) = browser
        && browser.is_in().await
    {
        return browser;
    }
    let mut browser = app.logged_in(person).await;
    browser.get("/account").await.is(200);
    browser
}

async fn outside(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    browser
}

#[actix_web::test]
async fn any_input_in_any_form_is_no_fault() {
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.account_free = 1_000_000;
        settings.throttle.address_free = 1_000_000;
        settings.throttle.asks_per_hour = 1_000_000;
        settings.throttle.mails_per_hour = 1_000_000;
    });
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut runner = TestRunner::deterministic();
    let text = anything();
    let mut typed = || text.new_tree(&mut runner).expect("a text").current();
    let names = security_page::fields();
    let bodies = (Config::default().cases / 32).max(4);
    let mut sent = 0;
    for row in routes::page_table().iter().filter(|row| row.method == Method::Post) {
        let id = ada.id.to_string();
        let parts = row.path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let mut browser = inside(&app, &grace, None).await;
        // An unknown field is 400, so the form's own fields are those that are not.
        let mut own = Vec::new();
        for name in &names {
            if post(&mut browser, &path, &[(name.clone(), "x".into())]).await != 400 {
                own.push(name.clone());
            }
            browser = inside(&app, &grace, Some(browser)).await;
        }
        for _ in 0..bodies {
            let fields: Vec<(String, String)> = own.iter().map(|name| (name.clone(), typed())).collect();
            post(&mut browser, &path, &fields).await;
            browser = inside(&app, &grace, Some(browser)).await;
            post(&mut outside(&app).await, &path, &fields).await;
            sent += 2;
        }
    }
    assert!(sent > 100, "{sent}");
    // No role or address has changed.
    let people: String =
        app.db.scalar("SELECT string_agg(email || ' ' || role, ',' ORDER BY email) FROM users");
    assert!(people.contains("grace@example.org admin"), "{people}");
    app.browser().get("/readyz").await.is(200);
}
