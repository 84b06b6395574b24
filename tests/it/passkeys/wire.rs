//! The JSON interface of the passkey script: a CSRF token in a header, problem documents (RFC 9457), limits.

use latchkey::config::Origin;
use reqwest::Method;
use serde_json::{Value, json};

use super::{asked, asked_to_log_in, passkey_of, refuses};
use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;
use crate::support::browser::{Answer, Browser};

const PATHS: [&str; 6] = [
    "/login/passkey/start",
    "/login/passkey/finish",
    "/account/passkeys/start",
    "/account/passkeys/finish",
    "/confirm/passkey/start",
    "/confirm/passkey/finish",
];

/// Every error of these endpoints is JSON (RFC 9457).
#[track_caller]
fn problem(answer: &Answer, status: u16) -> Value {
    answer.is(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("location"), None);
    let problem: Value = answer.json();
    assert_eq!(problem["status"], status);
    assert!(
        !problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty()
    );
    problem
}

async fn post(browser: &mut Browser, path: &str, kind: &str, token: &str, body: &str) -> Answer {
    let request = browser.request(Method::POST, path);
    let request = request.header("content-type", kind).header("x-csrf-token", token).body(body.to_owned());
    browser.send(request).await
}

#[actix_web::test]
async fn a_script_shows_its_token_in_the_header_and_speaks_json() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let token = browser.token.clone();
    let before = app.dump();
    for path in PATHS {
        for wrong in ["", "x", &"A".repeat(43)] {
            problem(&post(&mut browser, path, "application/json", wrong, "{}").await, 403);
        }
        // In the place where a form has it, the token is ignored.
        let form = browser.post_bare(path, &[("csrf_token", &token)]).await;
        problem(&form, 403);
        for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
            problem(&post(&mut browser, path, kind, &token, "{}").await, 415);
        }
        let bare = browser.request(Method::POST, path).header("x-csrf-token", &token);
        problem(&browser.send(bare).await, 415);
        for body in ["", "{", "[1]", "7", "null", "{\"unknown\": 1}", "\u{0}", "{\"publicKey\": {}}"] {
            problem(&post(&mut browser, path, "application/json", &token, body).await, 400);
        }
        let deep = "[".repeat(60_000);
        problem(&post(&mut browser, path, "application/json", &token, &deep).await, 400);
        problem(&post(&mut browser, path, "application/json", &token, &" ".repeat(70_000)).await, 413);
        let crossed = browser.request(Method::POST, path).header("origin", "https://evil.example");
        let crossed = crossed.header("x-csrf-token", &token).header("content-type", "application/json");
        problem(&browser.send(crossed.body("{}")).await, 403);
        // Scripts never send GET here; a user who opens the address sees a page.
        browser.get(path).await.is(405);
    }
    assert_eq!(app.dump(), before);
    post(&mut browser, PATHS[2], "application/json; charset=utf-8", &token, "{}").await.is(200);
}

#[actix_web::test]
async fn a_refused_script_gets_the_page_to_visit_first() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut stranger = app.browser();
    stranger.get("/login").await.is(200);
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    app.age_confirmations();
    let referer = format!("{}/account/security", app.origin);
    stranger.headers.push(("referer", referer.clone()));
    browser.headers.push(("referer", referer));
    for path in &PATHS[2..4] {
        let told = problem(&stranger.post_json(path, &json!({})).await, 403);
        assert_eq!(told["next"], "/login?next=/account/security");
        let told = problem(&browser.post_json(path, &json!({})).await, 403);
        assert_eq!(told["next"], "/confirm?next=/account/security");
    }
}

#[actix_web::test]
async fn when_the_database_is_away_a_script_is_told_as_well() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = app.browser();
    let options = asked_to_log_in(&mut browser).await;
    let signed = device.sign(&options);
    app.db.cut_off();
    let told = browser.post_json("/login/passkey/finish", &signed).await;
    assert!(told.header("retry-after").is_some());
    problem(&told, 503);
    app.db.restore();
    // Nothing was consumed.
    browser.post_json("/login/passkey/finish", &signed).await.is(200);
}

#[actix_web::test]
async fn one_address_begins_so_many_log_ins_an_hour_and_owners_are_not_counted() {
    let app = TestApp::spawn_with(|settings| settings.throttle.ceremonies_per_hour = 3);
    let ada = app.ada().await;
    let mut inside = app.logged_in(&ada).await;
    let mut second = app.logged_in(&ada).await;
    super::add(&mut inside, &mut Authenticator::new(&app.origin)).await.is(200);
    let mut browser = app.browser();
    for _ in 0..3 {
        asked_to_log_in(&mut browser).await;
    }
    let answer = browser.post_json("/login/passkey/start", &json!({})).await;
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 3000);
    assert!(problem(&answer, 429)["detail"].as_str().unwrap().contains("minutes"));
    // The password has a separate limit, and so has a logged-in user.
    app.browser().log_in(ada.email, ada.password).await.is(303);
    asked(&mut second, "/confirm/passkey/start").await;
    asked(&mut inside, "/confirm/passkey/start").await;
    app.wait_out_throttles();
    asked_to_log_in(&mut browser).await;
}

#[actix_web::test]
async fn a_browser_has_a_few_open_questions_and_old_ones_are_swept() {
    let app = TestApp::spawn();
    let (mut browser, mut other) = (app.browser(), app.browser());
    asked_to_log_in(&mut other).await;
    for _ in 0..20 {
        asked_to_log_in(&mut browser).await;
    }
    let open = || app.db.scalar::<i64>("SELECT count(*) FROM ceremonies");
    assert_eq!(open(), 8 + 1);
    app.db.execute("UPDATE ceremonies SET expires_at = expires_at - interval '5 minutes'");
    app.accounts.maintenance.purge().await.unwrap();
    assert_eq!(open(), 0);
}

#[actix_web::test]
async fn at_a_bare_address_there_are_no_passkeys_and_the_page_says_why() {
    for public in ["https://192.0.2.7", "http://127.0.0.1:8080"] {
        let app = TestApp::spawn_with(|settings| settings.server.public = Origin::parse(public).unwrap());
        let ada = app.ada().await;
        let mut browser = app.browser();
        let page = browser.get("/login").await;
        page.is(200).does_not_say("passkey");
        assert!(!page.header("content-security-policy").unwrap().contains("script-src"));
        refuses(&browser.post_json("/login/passkey/start", &json!({})).await, "unavailable");
        browser.log_in(ada.email, ada.password).await.redirects_to("/home");
        let page = browser.get("/account/security").await;
        page.is(200).has_notice("passkeys-off");
        assert_eq!((page.count("[data-passkey]"), page.count("script")), (0, 0));
    }
}

#[actix_web::test]
async fn password_managers_find_where_passkeys_are_made() {
    let app = TestApp::spawn_with(|settings| {
        settings.server.public = Origin::parse("https://id.example.org").unwrap();
    });
    let answer = app.browser().get("/.well-known/passkey-endpoints").await;
    assert_eq!(answer.is(200).header("content-type"), Some("application/json"));
    let page = "https://id.example.org/account/security";
    assert_eq!(answer.json(), json!({"enroll": page, "manage": page}));
}
