//! Passkeys with a software authenticator: registration, use, management and refusals.

mod log_in;
mod manage;
mod refused;
mod register;
mod second_step;
mod step;
mod wire;

use serde_json::{Value, json};

use crate::support::app::{Person, TestApp};
use crate::support::authenticator::Authenticator;
use crate::support::browser::{Answer, Browser};

/// A passkey of `person`, created in a new browser.
pub async fn passkey_of(app: &TestApp, person: &Person) -> Authenticator {
    let mut browser = app.logged_in(person).await;
    let mut device = Authenticator::new(&app.origin);
    add(&mut browser, &mut device).await.is(200);
    device
}

/// A browser that has just logged in with the passkey on `device`.
pub async fn inside(app: &TestApp, device: &mut Authenticator) -> Browser {
    let mut browser = app.browser();
    prove(&mut browser, device).await.is(200);
    browser
}

/// Creates a passkey on `device`.
pub async fn add(browser: &mut Browser, device: &mut Authenticator) -> Answer {
    let options = asked(browser, "/account/passkeys/start").await;
    let made = device.make(&options);
    browser.post_json("/account/passkeys/finish", &made).await
}

/// Logs in with the passkey on `device`, or confirms with it.
pub async fn prove(browser: &mut Browser, device: &mut Authenticator) -> Answer {
    let path = format!("{}/finish", rows_for(browser));
    let options = asked_to_log_in(browser).await;
    let signed = device.sign(&options);
    browser.post_json(&path, &signed).await
}

/// The paths for a passkey: those of the confirmation page if this browser is logged in, otherwise those of the log-in
/// page.
fn rows_for(browser: &Browser) -> &'static str {
    if browser.cookies.contains_key("latchkey") { "/confirm/passkey" } else { "/login/passkey" }
}

/// The options for the browser, at the log-in page or at the confirmation page.
pub async fn asked_to_log_in(browser: &mut Browser) -> Value {
    let path = format!("{}/start", rows_for(browser));
    asked(browser, &path).await
}

pub async fn asked(browser: &mut Browser, path: &str) -> Value {
    // For the form token of the page.
    let page = if browser.cookies.contains_key("latchkey") { "/account" } else { "/login" };
    browser.get(page).await.is(200);
    let answer = browser.post_json(path, &json!({})).await;
    answer.is(200).json()
}

/// A refusal states its reason, as a problem document.
#[track_caller]
pub fn refuses(answer: &Answer, code: &str) {
    answer.is(422).is_refused(code);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(!answer.json()["detail"].as_str().expect("a sentence").is_empty());
}

pub const UNKNOWN: &str = "unknown";
pub const EXPIRED: &str = "expired";
pub const NOT_CHECKED: &str = "invalid";
pub const NOT_VERIFIED: &str = "not-verified";
pub const COPIED: &str = "possibly-cloned";
