//! Forms, used with the mouse, the keyboard and password managers.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::chrome::Chrome;
use crate::support::process::eventually;

#[actix_web::test]
async fn enter_sends_the_form_and_does_not_press_show() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::without_javascript(&app.origin).await;
    chrome.go("/login").await;
    chrome.type_in("Email", ada.email).await;
    chrome.type_in("Password", &format!("{}{}", ada.password, char::from(Key::Enter))).await;
    chrome.is_at("home").await;
}

#[actix_web::test]
async fn the_keyboard_alone_logs_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let (tab, enter) = (char::from(Key::Tab), char::from(Key::Enter));
    chrome.go("/login").await;
    // The cursor is in the first field already.
    chrome.keys(&format!("{}{tab}", ada.email)).await;
    chrome.keys(&format!("{}{tab}", ada.password)).await;
    assert_eq!(focused(&chrome).await, "Show the password");
    chrome.keys(&tab.to_string()).await;
    chrome.keys(" ").await;
    chrome.keys(&tab.to_string()).await;
    assert_eq!(focused(&chrome).await, "Log in");
    chrome.keys(&enter.to_string()).await;
    chrome.is_at("home").await;
    let kept = "return [...document.querySelectorAll('dt')].find(dt => dt.innerText === 'Stay logged in').nextSibling.innerText";
    assert_eq!(chrome.run(kept, vec![]).await, "Yes");
    // The first focusable element is the link that skips the navigation.
    chrome.keys(&tab.to_string()).await;
    assert_eq!(focused(&chrome).await, "Skip to content");
    chrome.keys(&enter.to_string()).await;
    assert_eq!(chrome.path().await, "/home#main");
    chrome.keys(&tab.to_string()).await;
    assert_eq!(chrome.run("return !!document.activeElement.closest('main')", vec![]).await, true);
}

#[actix_web::test]
async fn show_keeps_what_was_typed_and_shows_it_without_javascript() {
    let app = TestApp::spawn();
    let chrome = Chrome::without_javascript(&app.origin).await;
    chrome.go("/register").await;
    chrome.type_in("Name", "Mary <Somerville> & \"co\"").await;
    chrome.type_in("Email", "mary@example.org").await;
    chrome.type_in("Password", "  ünïcode & <spaces>  ").await;
    chrome.press("Show").await;
    chrome.waits_for("input#password[type=text]").await;
    assert_eq!(chrome.typed("Name").await, "Mary <Somerville> & \"co\"");
    assert_eq!(chrome.typed("Email").await, "mary@example.org");
    assert_eq!(chrome.typed("Password").await, "  ünïcode & <spaces>  ");
    chrome.press("Hide").await;
    chrome.waits_for("input#password[type=password]").await;
    assert_eq!(chrome.typed("Name").await, "Mary <Somerville> & \"co\"");
}

#[actix_web::test]
async fn the_error_summary_has_the_focus_and_links_to_its_fields() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    chrome.go("/register").await;
    chrome.type_in("Name", "Mary").await;
    chrome.type_in("Email", "mary@example.org").await;
    chrome.type_in("Password", "short").await;
    chrome.press("Register").await;
    let summary = chrome.waits_for(".errors").await;
    // Not `:focus`: after a navigation, the page of a headless browser may lack the system's focus.
    let has_focus = "return document.activeElement.classList.contains('errors')";
    eventually("the focus", async || chrome.run(has_focus, vec![]).await.as_bool().filter(|it| *it)).await;
    assert!(chrome.client.title().await.expect("a title").starts_with("Check the form: "));
    let link = summary.find(fantoccini::Locator::Css("a")).await.expect("a link");
    let why = link.text().await.expect("a reason");
    link.click().await.expect("a click");
    chrome.waits_for("#password:focus").await;
    // The field is marked for screen readers as well.
    let said = "return document.getElementById('password-error').innerText === arguments[0]
        && document.getElementById('password').getAttribute('aria-describedby').includes('password-error')";
    assert_eq!(chrome.run(said, vec![json!(why)]).await, true);
}

#[actix_web::test]
async fn password_managers_know_each_field() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let known = async |page: &str| -> Value {
        chrome.go(page).await;
        let script = "return [...document.querySelectorAll('main input[autocomplete]')].map(input => input.autocomplete).join(' ')";
        chrome.run(script, vec![]).await
    };
    assert_eq!(known("/login").await, "username webauthn current-password");
    assert_eq!(known("/register").await, "name username new-password");
    assert_eq!(known("/forgot-password").await, "username");
    let link = app.accounts.registration.setup_link().await.expect("a link").expect("no administrator yet");
    let setup = link.strip_prefix(&app.origin).expect("a link of ours");
    assert_eq!(known(setup).await, "name username new-password");
    chrome.log_in(ada.email, ada.password).await;
    chrome.is_at("home").await;
    assert_eq!(known("/confirm").await, "username current-password");
    assert_eq!(known("/account/password").await, "username current-password new-password");
}

/// The text of the focused link or button.
async fn focused(chrome: &Chrome) -> String {
    let script = "return document.activeElement.textContent.trim()";
    chrome.run(script, vec![]).await.as_str().unwrap_or_default().to_owned()
}
