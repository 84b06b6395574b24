//! Passkeys in a real browser, on a virtual authenticator of WebDriver.

use serde_json::json;

use crate::support::app::{Person, TestApp};
use crate::support::chrome::Chrome;

/// Logs in and creates a passkey as a user does.
async fn make(chrome: &Chrome, person: &Person) {
    chrome.log_in(person.email, person.password).await;
    chrome.press("Account").await;
    chrome.press("Security").await;
    chrome.is_at("account/security").await;
    chrome.press("Add a passkey").await;
    // The first factor comes with recovery codes.
    chrome.is_at("account/recovery_codes").await;
    chrome.shows("data-flash", "passkey-required").await;
    chrome.press("I've saved them").await;
    chrome.shows("data-notice", "never-used").await;
}

async fn log_out(chrome: &Chrome) {
    chrome.press("Log out").await;
    chrome.shows("data-flash", "logged-out").await;
}

/// Waits for the error beside the button.
async fn is_refused(chrome: &Chrome, code: &str) {
    chrome.waits_for(&format!(".passkey .error[data-refusal={code}]:not([hidden])")).await;
}

#[actix_web::test]
async fn a_passkey_is_made_named_used_and_removed() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let device = chrome.add_authenticator().await;
    // Autofill has its own test.
    let silent =
        json!({"source": "PublicKeyCredential.isConditionalMediationAvailable = async () => false;"});
    chrome.cdp("Page.addScriptToEvaluateOnNewDocument", silent).await;
    make(&chrome, &ada).await;
    let kept = chrome.credentials(&device).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["rpId"], &kept[0]["isResidentCredential"]), (&json!("localhost"), &json!(true)));

    // The device has a passkey for this account already.
    chrome.press("Add a passkey").await;
    is_refused(&chrome, "InvalidStateError").await;

    chrome.press("Change").await;
    let field = chrome.field("Name").await;
    field.clear().await.expect("an empty field");
    chrome.type_in("Name", "Analytical Engine").await;
    chrome.press("Rename").await;
    chrome.shows("data-flash", "passkey-renamed").await;
    chrome.says("Analytical Engine").await;
    log_out(&chrome).await;

    // The browser returns to the requested page.
    chrome.go("/account/security").await;
    chrome.is_at("login").await;
    chrome.press("Log in with a passkey").await;
    chrome.is_at("account/security").await;
    chrome.says("last used just now").await;

    // Confirming works in the same way, in the current session.
    app.age_confirmations();
    chrome.go("/account/security").await;
    chrome.is_at("confirm").await;
    chrome.press("Confirm with a passkey").await;
    chrome.is_at("account/security").await;

    chrome.press("Change").await;
    chrome.press("Remove").await;
    chrome.shows("data-flash", "passkey-removed").await;
    app.age_confirmations();
    chrome.go("/confirm").await;
    chrome.is_at("confirm").await;
    let shown = chrome.text().await;
    assert!(!shown.contains("passkey"), "{shown}");

    // The device still offers the passkey, because it does not know of its removal.
    log_out(&chrome).await;
    chrome.press("Log in with a passkey").await;
    is_refused(&chrome, "unknown").await;
}

#[actix_web::test]
async fn the_browser_offers_passkeys_in_the_field_for_the_address() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let device = chrome.add_authenticator().await;
    make(&chrome, &ada).await;
    // The virtual device responds as soon as the log-in page asks for it: no button is pressed, and there is no time to
    // look at the page.
    chrome.press("Log out").await;
    chrome.is_at("home").await;
    assert_eq!(chrome.credentials(&device).await[0]["signCount"], 2);
    let factors: String = app.db.scalar("SELECT string_agg(factor, ' ' ORDER BY created_at) FROM sessions");
    assert_eq!(factors, "password passkey");
}

#[actix_web::test]
async fn a_device_that_does_not_verify_its_person_gets_nowhere() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let device = chrome.add_authenticator().await;
    make(&chrome, &ada).await;
    chrome.set_user_verified(&device, false).await;
    log_out(&chrome).await;
    chrome.is_at("login").await;
    chrome.press("Log in with a passkey").await;
    is_refused(&chrome, "NotAllowedError").await;
    assert_eq!(app.live_sessions(&ada), 0);
    // Nor is it accepted as the second step.
    chrome.log_in(ada.email, ada.password).await;
    chrome.is_at("login/second_factor").await;
    chrome.press("Use a passkey").await;
    is_refused(&chrome, "NotAllowedError").await;
    chrome.set_user_verified(&device, true).await;
    chrome.press("Use a passkey").await;
    chrome.is_at("home").await;
}

#[actix_web::test]
async fn a_form_that_came_too_late_comes_back_filled_in_after_confirming_with_a_passkey() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    chrome.add_authenticator().await;
    make(&chrome, &ada).await;
    chrome.go("/account/email").await;
    chrome.type_in("New email", "countess@example.org").await;
    app.age_confirmations();
    app.accounts.sessions().wait_until_invalidated().await;
    chrome.press("Send link").await;
    chrome.is_at("confirm").await;
    chrome.press("Confirm with a passkey").await;
    chrome.shows("data-flash", "confirmed-not-sent").await;
    assert_eq!(chrome.typed("New email").await, "countess@example.org");
    assert_eq!(app.events("email-change-asked"), 0);
    chrome.press("Send link").await;
    chrome.shows("data-flash", "email-asked").await;
    assert_eq!(app.events("email-change-asked"), 1);
}

/// The browser signs for this host; the server checks the whole origin.
#[actix_web::test]
async fn on_another_port_or_under_another_name_a_passkey_is_worth_nothing() {
    let app = TestApp::spawn();
    let elsewhere = app.beside(|_| {});
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    let device = chrome.add_authenticator().await;
    make(&chrome, &ada).await;
    let kept = chrome.credentials(&device).await.remove(0);
    let before = app.db.scalar::<i64>("SELECT count(*) FROM sessions");

    // A page on another port gets a signature for localhost, but with another origin.
    let other = Chrome::open(&elsewhere.origin).await;
    other.go("/robots.txt").await;
    let options = {
        let mut browser = app.browser();
        browser.get("/login").await.is(200);
        let options = browser.post_json("/login/passkey/start", &json!({})).await.is(200).json();
        (browser, options)
    };
    let (mut browser, options) = options;
    let second = other.add_authenticator().await;
    other.add_credential(&second, kept).await;
    let signed = other.run_async(SIGN, vec![options["publicKey"].clone()]).await;
    assert!(signed["response"]["signature"].is_string(), "{signed}");
    let answer = browser.post_json("/login/passkey/finish", &signed).await;
    answer.is(422).is_refused("invalid");
    assert_eq!(app.events("passkey-refused"), 1);

    // Under another name of this machine, the browser itself refuses.
    let address = app.origin.replace("localhost", "127.0.0.1");
    let stranger = Chrome::open(&address).await;
    stranger.add_authenticator().await;
    stranger.go("/login").await;
    stranger.press("Log in with a passkey").await;
    is_refused(&stranger, "SecurityError").await;
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), before);
}

/// Requests a signature as any page could.
const SIGN: &str = r#"
    const [publicKey, done] = arguments;
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    publicKey.challenge = bytes(publicKey.challenge);
    navigator.credentials.get({ publicKey }).then((made) => done(made.toJSON()), (error) => done(String(error)));
"#;

#[actix_web::test]
async fn without_javascript_the_page_says_so_and_offers_the_other_ways() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::without_javascript(&app.origin).await;
    chrome.go("/login").await;
    chrome.says("JavaScript").await;
    let shown = chrome.text().await;
    assert!(!shown.contains("Log in with a passkey"), "{shown}");
    chrome.log_in(ada.email, ada.password).await;
    chrome.is_at("home").await;
    chrome.go("/account/security").await;
    chrome.says("JavaScript").await;
    let ready = "INSERT INTO passkeys (user_id, credential_id, credential, name) SELECT id, 'x', '{}', 'Analytical Engine' FROM users";
    app.db.execute(ready);
    chrome.go("/confirm").await;
    chrome.says("JavaScript").await;
}

#[actix_web::test]
async fn a_browser_that_knows_no_passkeys_says_so() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    let without = json!({"source": "delete window.PublicKeyCredential;"});
    chrome.cdp("Page.addScriptToEvaluateOnNewDocument", without).await;
    chrome.go("/login").await;
    is_refused(&chrome, "unsupported").await;
    let shown = chrome.text().await;
    assert!(!shown.contains("Log in with a passkey"), "{shown}");
}

/// The page runs only our script file, and the file needs nothing that the policy forbids.
#[actix_web::test]
async fn nothing_breaks_the_content_security_policy() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let chrome = Chrome::open(&app.origin).await;
    chrome.add_authenticator().await;
    let listen = json!({"source": "window.broken = []; addEventListener('securitypolicyviolation', event => broken.push(event.violatedDirective))"});
    chrome.cdp("Page.addScriptToEvaluateOnNewDocument", listen).await;
    make(&chrome, &ada).await;
    assert_eq!(chrome.run("return broken", vec![]).await, json!([]));
    // A script that is inserted into the page does not run.
    chrome
        .client
        .execute(
            "const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.body.append(script);",
            vec![],
        )
        .await
        .expect("a script element");
    assert_eq!(chrome.run("return [window.ran ?? false, broken.length]", vec![]).await, json!([false, 1]));
}
