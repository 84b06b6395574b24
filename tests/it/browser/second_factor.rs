//! Sets an authenticator app up and logs in with it, by the visible text.

use crate::support::app::TestApp;
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::chrome::{Chrome, PHONE};

#[actix_web::test]
async fn an_app_is_set_up_and_logs_in_without_javascript() {
    let app = TestApp::spawn();
    let chrome = Chrome::without_javascript(&app.origin).await;
    in_with_a_code(&app, &chrome).await;
}

#[actix_web::test]
async fn an_app_is_set_up_and_logs_in_on_a_phone() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    chrome.resize(PHONE).await;
    in_with_a_code(&app, &chrome).await;
}

async fn in_with_a_code(app: &TestApp, chrome: &Chrome) {
    walk(app, chrome, async |_| {}).await;
    assert_eq!(chrome.path().await, "/home");
}

/// Every page about second factors, once each, and the links between them.
pub async fn walk(app: &TestApp, chrome: &Chrome, look: impl AsyncFn(&str)) {
    let mary = app.mary().await;
    chrome.log_in(mary.email, mary.password).await;
    chrome.waits_for(".top form").await;
    chrome.go("/account/security").await;
    look("security-off").await;
    chrome.press("Set up an app").await;
    chrome.is_at("account/totp/start").await;
    look("totp").await;
    let key = chrome.waits_for("#key .code").await.text().await.expect("a key");
    let authenticator = AuthenticatorApp::with_key(&key);
    chrome.type_in("Code", &authenticator.wrong_code(app)).await;
    chrome.press("Turn on").await;
    chrome.shows("data-refusal", "wrong").await;
    look("totp-refused").await;
    chrome.type_in("Code", &authenticator.code(app.step())).await;
    chrome.press("Turn on").await;
    chrome.is_at("account/recovery_codes").await;
    look("recovery-codes").await;
    chrome.press("I've saved them").await;
    chrome.shows("data-codes-left", "10").await;
    look("security").await;
    app.db.execute("UPDATE totp SET failures = 10");
    app.db.execute(
        "DELETE FROM recovery_codes WHERE code_hash NOT IN (SELECT code_hash FROM recovery_codes LIMIT 1)",
    );
    chrome.go("/account/security").await;
    look("security-locked").await;
    app.db.execute("UPDATE totp SET failures = 0");
    chrome.go("/confirm").await;
    look("confirm-code").await;
    chrome.press("Log out").await;
    chrome.is_at("login").await;

    chrome.log_in(mary.email, mary.password).await;
    chrome.is_at("login/second_factor").await;
    look("second-factor").await;
    chrome.press("Start over").await;
    chrome.is_at("login").await;
    chrome.log_in(mary.email, mary.password).await;
    chrome.is_at("login/second_factor").await;
    chrome.type_in("Code", &authenticator.wrong_code(app)).await;
    chrome.press("Log in").await;
    chrome.waits_for(".errors").await;
    look("second-factor-refused").await;
    chrome.type_in("Code", &app.fresh_code(&authenticator)).await;
    chrome.press("Log in").await;
    chrome.waits_for(".top form").await;
}
