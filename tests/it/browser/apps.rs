//! Apps behind the front door in a browser: from the app to the log-in and back, and no cookie of one host reaches the
//! other.

use std::time::Duration;

use latchkey::apps::{Access, PathMatch, Rule, RulePath};
use serde_json::json;

use crate::front::support::{Wiki, register};
use crate::support::app::{Person, TestApp};
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::chrome::{Chrome, PHONE};
use crate::support::upstream::{After, Received, Upstream};

/// A page that says whose request it got, and sets a cookie.
fn answers_with_its_user(request: &Received, stream: &mut dyn std::io::Write) -> After {
    let user = request.values("remote-name").join(",");
    let page = format!(
        "<!DOCTYPE html><title>Wiki</title><main data-page=\"{}\"><h1>Hello {user}</h1><form method=post action=/save><button>Save</button></form></main>",
        request.target()
    );
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: wiki_sid=1; Path=/\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    After::KeepOpen
}

async fn wiki(app: &TestApp) -> Wiki {
    register(
        app,
        "wiki",
        Upstream::scripted(|request, stream| answers_with_its_user(request, stream)),
        |app| {
            let mut recent = Rule::everywhere(Access::SignedIn);
            recent.when.path = PathMatch::Below(RulePath::parse("/recent").expect("a path"));
            recent.fresh = Some(Duration::from_secs(600));
            app.rules = vec![recent, Rule::everywhere(Access::SignedIn)];
        },
    )
    .await
}

#[actix_web::test]
async fn a_visitor_of_an_app_logs_in_and_arrives_in_it() {
    let app = TestApp::spawn();
    let (wiki, ada) = (wiki(&app).await, app.ada().await);
    let chrome = Chrome::open(&app.origin).await;
    in_and_out(&app, &wiki, &ada, &chrome).await;
    for seen in wiki.upstream.received() {
        assert!(seen.values("cookie").iter().all(|cookies| !cookies.contains("latchkey")), "{seen:?}");
    }
}

#[actix_web::test]
async fn a_visitor_of_an_app_logs_in_on_a_phone_without_javascript() {
    let app = TestApp::spawn();
    let (wiki, ada) = (wiki(&app).await, app.ada().await);
    let chrome = Chrome::without_javascript(&app.origin).await;
    chrome.resize(PHONE).await;
    in_and_out(&app, &wiki, &ada, &chrome).await;
}

/// From the app to the log-in and back, with a confirmation, and out again.
pub async fn in_and_out(app: &TestApp, wiki: &Wiki, ada: &Person, chrome: &Chrome) {
    open(chrome, wiki, "/page/7?q=a%20b").await;
    chrome.is_at("login").await;
    chrome.log_in_here(ada.email, ada.password).await;
    // Our own form leads to another host, through a page.
    chrome.is_at("/page/7?q=a%20b").await;
    chrome.says("Hello Ada Lovelace").await;
    chrome.press("Save").await;
    chrome.is_at("/save").await;

    // No cookie of one host reaches the other.
    let portals = chrome.cookies(&app.origin).await;
    let apps = chrome.cookies(&wiki.origin).await;
    assert!(
        portals.contains(&"latchkey".to_owned()) && !portals.contains(&"latchkey-app".to_owned()),
        "{portals:?}"
    );
    assert_eq!(apps, ["latchkey-app", "latchkey-state", "wiki_sid"]);

    // If the proof is too old, the user is asked for a new one, once.
    app.age_confirmations();
    app.db.execute("UPDATE session_keys SET proved_at = proved_at - interval '1 hour'");
    open(chrome, wiki, "/recent").await;
    chrome.is_at("confirm").await;
    chrome.type_in("Password", ada.password).await;
    chrome.press("Confirm").await;
    chrome.is_at("/recent").await;

    // The session ends elsewhere: the next page of the app asks for a log-in.
    let mut elsewhere = app.logged_in(ada).await;
    elsewhere.get("/account/sessions").await.is(200);
    elsewhere.post("/account/sessions/revoke-others", &[]).await.is(303);
    open(chrome, wiki, "/page/8").await;
    chrome.is_at("login").await;
    chrome.log_in_here(ada.email, ada.password).await;
    chrome.is_at("/page/8").await;

    open(chrome, wiki, "/.latchkey/out").await;
    chrome.shows_on_main("data-error", "leave").await;
    chrome.press("Leave this app").await;
    chrome.shows_on_main("data-error", "left").await;
    chrome.press("Your apps").await;
    chrome.is_at("home").await;
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_on_the_way_to_an_app() {
    let app = TestApp::spawn();
    let (wiki, ada) = (wiki(&app).await, app.ada().await);
    through_a_second_factor(&app, &wiki, &ada).await;
}

pub async fn through_a_second_factor(app: &TestApp, wiki: &Wiki, ada: &Person) {
    let chrome = Chrome::open(&app.origin).await;
    log_in_at_portal(&chrome, ada).await;
    chrome.go("/account/security").await;
    chrome.press("Set up an app").await;
    chrome.is_at("account/totp/start").await;
    let key = chrome.waits_for("#key .code").await.text().await.expect("a key");
    let authenticator = AuthenticatorApp::with_key(&key);
    chrome.type_in("Code", &authenticator.code(app.step())).await;
    chrome.press("Turn on").await;
    chrome.is_at("account/recovery_codes").await;
    chrome.press("I've saved them").await;
    chrome.press("Log out").await;
    chrome.is_at("login").await;

    open(&chrome, wiki, "/page/9").await;
    chrome.is_at("login").await;
    chrome.log_in_here(ada.email, ada.password).await;
    chrome.is_at("login/second_factor").await;
    chrome.type_in("Code", &app.fresh_code(&authenticator)).await;
    chrome.press("Log in").await;
    chrome.is_at("/page/9").await;
}

#[actix_web::test]
async fn a_passkey_leads_into_an_app() {
    let app = TestApp::spawn();
    let (wiki, ada) = (wiki(&app).await, app.ada().await);
    with_a_passkey(&app, &wiki, &ada).await;
}

pub async fn with_a_passkey(app: &TestApp, wiki: &Wiki, ada: &Person) {
    let chrome = Chrome::open(&app.origin).await;
    chrome.add_authenticator().await;
    // Autofill has its own test.
    let silent =
        json!({"source": "PublicKeyCredential.isConditionalMediationAvailable = async () => false;"});
    chrome.cdp("Page.addScriptToEvaluateOnNewDocument", silent).await;
    log_in_at_portal(&chrome, ada).await;
    chrome.go("/account/security").await;
    chrome.press("Add a passkey").await;
    chrome.is_at("account/recovery_codes").await;
    chrome.press("I've saved them").await;
    chrome.press("Log out").await;
    chrome.is_at("login").await;
    open(&chrome, wiki, "/page/10").await;
    chrome.is_at("login").await;
    chrome.press("Log in with a passkey").await;
    chrome.is_at("/page/10").await;
    chrome.says("Hello Ada Lovelace").await;
}

async fn open(chrome: &Chrome, wiki: &Wiki, path: &str) {
    chrome.client.goto(&format!("{}{path}", wiki.origin)).await.expect("a page");
}

async fn log_in_at_portal(chrome: &Chrome, person: &Person) {
    chrome.log_in(person.email, person.password).await;
    chrome.is_at("home").await;
}
