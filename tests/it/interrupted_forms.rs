//! A form that was open while the confirmation expired comes back filled in, and takes effect only when it is sent again.

use latchkey::apps::{Access, Rule};
use latchkey::config::UpstreamsFrom;
use latchkey::identity::{Client, GroupName};
use latchkey::tokens::ApiScope;
use latchkey::web::routes::{self, Method, Route};
use latchkey::web::session::guard::GuardKind;
use reqwest::header::REFERER;

use crate::front::support::register;
use crate::passkeys::{inside, passkey_of, prove};
use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::upstream::{OK, Upstream};

/// A value typed into a field, different from the field's initial value.
fn typed(name: &str) -> &'static str {
    match name {
        "role" => "admin",
        "email" => "eve@example.org",
        "path_kind" => "exact",
        "access" => "open",
        "factor" => "passkey",
        "fresh" => "600",
        "remote_user" => "email",
        "upstream_host" => "upstream",
        "explain" => "groups",
        "opens" => "wiki",
        "expires" => "7d",
        scope if ApiScope::ALL.iter().any(|known| known.as_str().replace(':', "_") == scope) => "1",
        "place" | "admins" | "tokens" | "ignore_case" => "1",
        _ => "Eve's own",
    }
}

/// The rows whose form can be interrupted and has typed values to lose.
fn rows() -> Vec<Route> {
    let mut rows = routes::page_table();
    rows.retain(|row| {
        row.method == Method::Post
            && matches!(row.guard, GuardKind::Confirmed | GuardKind::Admin)
            && !row.texts.is_empty()
    });
    rows
}

fn path_of(app: &TestApp, row: &Route, ada: &Person) -> String {
    let id = match row.path.contains("/passkeys/") {
        true => app.db.scalar("SELECT id::text FROM passkeys"),
        false => ada.id.to_string(),
    };
    let part = |part: &'static str| match part {
        "{id}" => id.clone(),
        "{slug}" => "wiki".to_owned(),
        "{name}" => "staff".to_owned(),
        part => part.to_owned(),
    };
    row.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// All fields of the form with this action, as a browser would send them.
fn form(page: &Answer, action: &str) -> Vec<(String, String)> {
    let form = format!("form[action='{action}']");
    let sent = format!("{form} input[name]:not([type=checkbox]), {form} input[name][type=checkbox][checked]");
    let value = |selector: String| page.attribute(&selector, "value").unwrap_or_default();
    let mut fields: Vec<(String, String)> = page
        .attributes(&sent, "name")
        .into_iter()
        .map(|name| {
            let typed = value(format!("{form} input[name='{name}']"));
            (name, typed)
        })
        .collect();
    let selects = page.attributes(&format!("{form} select[name]"), "name").into_iter();
    fields.extend(selects.map(|name| {
        let chosen = value(format!("{form} select[name='{name}'] option[selected]"));
        (name, chosen)
    }));
    fields
}

async fn post(browser: &mut Browser, path: &str, fields: &[(String, String)]) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post_bare(path, &fields).await
}

/// Sends the form after the confirmation has expired.
async fn interrupt(app: &TestApp, browser: &mut Browser, row: &Route, path: &str) -> Answer {
    browser.get("/account").await.is(200);
    app.age_confirmations();
    app.accounts.sessions().wait_until_invalidated().await;
    let mut fields: Vec<(&str, &str)> = row.texts.iter().map(|name| (*name, typed(name))).collect();
    // Values that no page may repeat, regardless of the form.
    fields.extend([("password", "a-new-password-of-mine"), ("code", "271828")]);
    browser.post(path, &fields).await
}

/// An instance with an app and a group, on whose pages administrators set upstreams.
async fn with_an_app() -> TestApp {
    let app = TestApp::spawn_with(|settings| settings.apps.upstreams_from = UpstreamsFrom::Admin);
    register(&app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) }];
    })
    .await;
    let staff = GroupName::parse("staff").expect("a group");
    app.accounts.groups.add(None, staff, "", Client::operator()).await.expect("a new group");
    app
}

/// All rows except sessions, which every confirmation changes, and the audit events about them.
fn users(app: &TestApp) -> String {
    let rows = |table: &str| -> String {
        app.db
            .scalar(&format!("SELECT coalesce(string_agg(t::text, ',' ORDER BY t::text), '') FROM {table} t"))
    };
    ["users", "passkeys", "invitations", "account_links", "outbox"].map(rows).join("\n")
}

#[test]
fn every_form_that_has_something_typed_in_it_can_come_back() {
    let rows = rows();
    assert!(rows.len() >= 5, "{}", rows.len());
    for row in rows {
        assert!(row.is_shown_again, "{} would lose {:?}", row.path, row.texts);
    }
    for row in routes::page_table() {
        let secret = ["password", "current_password", "code", "codes"];
        assert!(!row.texts.iter().any(|name| secret.contains(name)), "{} repeats a secret", row.path);
    }
}

#[actix_web::test]
async fn a_form_comes_back_filled_in_and_is_carried_out_when_it_is_sent_again() {
    let app = with_an_app().await;
    let (ada, grace) = (app.ada().await, app.grace().await);
    // A user with a passkey confirms with it: see below.
    for row in rows().into_iter().filter(|row| !row.path.contains("/passkeys/")) {
        let mut browser = app.logged_in(&grace).await;
        let path = path_of(&app, &row, &ada);
        let before = users(&app);
        let confirm = interrupt(&app, &mut browser, &row, &path).await;
        confirm.is(403).is_page("confirm").has_notice("carried");
        for secret in ["a-new-password-of-mine", "271828"] {
            confirm.does_not_say(secret);
        }
        let mut fields = form(&confirm, &path);
        for name in &row.texts {
            assert!(fields.contains(&((*name).to_owned(), typed(name).to_owned())), "{path}: {fields:?}");
        }
        assert_eq!(confirm.attributes("input[name=password]", "value"), Vec::<String>::new());

        // A wrong password keeps the typed values.
        let password = fields.iter().position(|(name, _)| name == "password").unwrap();
        fields[password].1 = "not-the-password-at-all".into();
        let refused = post(&mut browser, &path, &fields).await;
        refused.is(422).is_refused("wrong-password").does_not_say("not-the-password-at-all");
        assert_eq!(refused.attribute("form.card", "action").as_deref(), Some(&*path));

        let old_key = browser.key();
        let mut fields = form(&refused, &path);
        let password = fields.iter().position(|(name, _)| name == "password").unwrap();
        fields[password].1 = grace.password.into();
        let page = post(&mut browser, &path, &fields).await;
        page.is(200).has_flash("confirmed-not-sent");
        assert_ne!(browser.key(), old_key);
        assert_eq!(users(&app), before, "{path}");

        let again = form(&page, &path);
        for name in &row.texts {
            assert!(again.contains(&((*name).to_owned(), typed(name).to_owned())), "{path}: {again:?}");
        }
        let sent = post(&mut browser, &path, &again).await;
        assert!(sent.status == 303 && !sent.is_sent_to("/confirm") || sent.status == 422, "{path}: {sent:?}");
        // What was typed deletes no account, describes no app or group, and wants a token for an app and more.
        let is_refused = ["/account/delete", "/account/tokens", "/admin/apps", "/admin/groups"]
            .iter()
            .any(|at| path.starts_with(at));
        assert!(sent.status == 303 || is_refused, "{path}: {sent:?}");
    }
    assert_eq!(app.events("role-changed"), 1);
    assert_eq!(app.events("email-change-asked"), 1);
    assert_eq!(app.events("invited"), 1);
}

#[actix_web::test]
async fn a_form_confirmed_with_a_passkey_is_shown_again_and_never_carried_out() {
    let app = with_an_app().await;
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut device = passkey_of(&app, &grace).await;
    for row in rows() {
        let path = path_of(&app, &row, &ada);
        let mut browser = inside(&app, &mut device).await;
        let confirm = interrupt(&app, &mut browser, &row, &path).await;
        confirm.is(403);
        assert_eq!(confirm.attribute("[data-passkey]", "data-passkey").as_deref(), Some("confirm"));
        assert_eq!(confirm.count("script[src]"), 1);
        let fields = form(&confirm, &path);
        // The script confirms, and sends the form of the page unchanged.
        prove(&mut browser, &mut device).await.is(200);
        let before = app.dump();
        let page = post(&mut browser, &path, &fields).await;
        page.is(200).has_flash("confirmed-not-sent");
        let again = form(&page, &path);
        assert!(row.texts.iter().all(|name| again.contains(&((*name).to_owned(), typed(name).to_owned()))));
        assert!(!again.iter().any(|(name, _)| name == "draft"));
        assert_eq!(app.dump(), before, "{path}");
    }
}

#[actix_web::test]
async fn only_a_form_with_its_own_token_is_carried() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    browser.get("/account/email").await.is(200);
    app.age_confirmations();
    app.accounts.sessions().wait_until_invalidated().await;
    let mut other = app.logged_in(&grace).await;
    other.get("/account").await.is(200);
    for token in ["", "x", &other.token] {
        let fields = [("csrf_token", token), ("email", "eve@example.org")];
        let answer = browser.post_bare("/account/email", &fields).await;
        answer.redirects_to("/confirm");
        assert_eq!(answer.cookie("latchkey-flash"), None);
        let fields = [("csrf_token", token), ("email", "eve@example.org"), ("draft", "/account/email")];
        let fields = [&fields[..], &[("password", grace.password)]].concat();
        browser.post_bare("/account/email", &fields).await.redirects_to("/confirm");
    }
    browser.get("/account/email").await.redirects_to("/confirm?next=/account/email");
}

#[actix_web::test]
async fn where_nothing_is_typed_the_page_behind_the_confirmation_says_that_nothing_was_done() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/sessions").await.is(200);
    for (path, fields) in [
        ("/account/sessions/revoke-others", &[][..]),
        ("/account/password", &[("current_password", ada.password), ("password", "gravel tuba otter lemon")]),
    ] {
        app.age_confirmations();
        app.accounts.sessions().wait_until_invalidated().await;
        let token = browser.token.clone();
        let referer = format!("{}/account/sessions", app.origin);
        let fields = [fields, &[("csrf_token", &token)]].concat();
        let post = browser.request(reqwest::Method::POST, path).header(REFERER, referer).form(&fields);
        let answer = browser.send(post).await;
        answer.redirects_to("/confirm?next=/account/sessions").does_not_say("gravel tuba");
        let confirm = browser.get("/confirm?next=/account/sessions").await;
        confirm.is(200).has_notice("interrupted").has_no_flash();
        // The message is still shown after a mistyped password.
        let wrong = [("password", "not-the-password-at-all"), ("next", "/account/sessions")];
        browser.post("/confirm", &wrong).await.is(422).has_notice("interrupted");
        let right = [("password", ada.password), ("next", "/account/sessions")];
        browser.post("/confirm", &right).await.redirects_to("/account/sessions");
        browser.get("/account/sessions").await.has_flash("confirm-then-again");
        browser.get("/account/sessions").await.has_no_flash();
    }
    assert_eq!(app.events("password-changed") + app.events("sessions-revoked"), 0);
}

#[actix_web::test]
async fn a_draft_leads_to_no_other_site() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/sessions").await.is(200);
    for draft in ["//evil.example", "https://evil.example", "", "/\\evil.example"] {
        let answer = browser.post("/account/sessions/revoke-others", &[("draft", draft)]).await;
        answer.redirects_to("/home");
    }
    let answer = browser.post("/account/sessions/revoke-others", &[("draft", "/account/sessions")]).await;
    answer.redirects_to("/account/sessions");
    assert_eq!(app.events("sessions-revoked"), 0);
}

#[actix_web::test]
async fn pressing_show_on_the_page_in_between_keeps_the_form() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let row = rows().into_iter().find(|row| row.path == "/account/email").unwrap();
    let confirm = interrupt(&app, &mut browser, &row, "/account/email").await;
    let mut fields = form(&confirm, "/account/email");
    let password = fields.iter().position(|(name, _)| name == "password").unwrap();
    fields[password].1 = ada.password.into();
    fields.push(("show".into(), "1".into()));
    let shown = post(&mut browser, "/account/email", &fields).await;
    shown.is(200);
    assert_eq!(shown.attribute("#password", "value").as_deref(), Some(ada.password));
    assert_eq!(shown.attribute("input[name=email]", "value").as_deref(), Some("eve@example.org"));
    browser.get("/account/email").await.redirects_to("/confirm?next=/account/email");
}
