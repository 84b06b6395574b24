//! Whether a passkey is required after the password: chosen with the first one, and changed later.

use latchkey::identity::{Client, UserId};
use serde_json::json;

use super::{add, asked, inside, passkey_of, prove};
use crate::support::app::{Person, TestApp};
use crate::support::authenticator::Authenticator;
use crate::support::browser::{Answer, Browser};
use crate::support::subjects;

const STEP: &str = "/account/passkeys/second-step";

/// Creates a passkey with a choice about the password.
async fn add_with(browser: &mut Browser, device: &mut Authenticator, choice: &str) -> Answer {
    let options = asked(browser, "/account/passkeys/start").await;
    let made = device.make(&options);
    browser.post_json(&format!("/account/passkeys/finish?second_step={choice}"), &made).await
}

/// Whether the password alone opens a session, in a new browser.
async fn password_alone(app: &TestApp, person: &Person) -> bool {
    let mut browser = app.browser();
    let answer = browser.log_in(person.email, person.password).await;
    assert_eq!(answer.status, 303);
    !answer.is_sent_to("/login/second-factor") && browser.is_in().await
}

/// A browser of a user who has a passkey and whose password alone still logs in.
async fn optional(app: &TestApp, person: &Person) -> (Browser, Authenticator) {
    let (mut browser, mut device) = (app.logged_in(person).await, Authenticator::new(&app.origin));
    add_with(&mut browser, &mut device, "off").await.is(200);
    browser.get("/account/security").await.is(200);
    (browser, device)
}

/// Logs in with a new password, which was set with the mailed link.
async fn logs_in_anew(app: &TestApp, browser: &mut Browser, person: &Person) -> Answer {
    let token = app.letter(person.email, subjects::RESET_PASSWORD).await.token();
    let password = "gravel tuba otter lemon";
    browser
        .post("/reset-password", &[("token", &token), ("password", password)])
        .await
        .redirects_to("/login");
    browser.log_in(person.email, password).await
}

#[actix_web::test]
async fn the_page_says_what_the_first_passkey_does_to_the_password_before_it_is_made() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let page = browser.get("/account/security").await;
    page.has_notice("step-choice");
    assert_eq!(page.attributes("input[name=second_step]", "value"), ["required", "off"]);
    assert_eq!(page.attribute("input[name=second_step][checked]", "value").as_deref(), Some("required"));
    add(&mut browser, &mut Authenticator::new(&app.origin)).await.is(200);
    let page = browser.get("/account/security").await;
    page.has_flash("passkey-required").has_no_notice("step-choice");
    page.has_notice("step-required");
    let letter = app.letter(ada.email, subjects::FACTOR_ADDED).await;
    assert!(letter.text.contains("It is now required after your password."), "{}", letter.text);
    assert!(!password_alone(&app, &ada).await);
}

#[actix_web::test]
async fn a_user_with_a_passkey_may_choose_to_log_in_with_the_password_alone() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut browser, mut device) = (app.logged_in(&ada).await, Authenticator::new(&app.origin));
    let answer = add_with(&mut browser, &mut device, "off").await;
    // No codes are created, because there is no second step to replace.
    assert_eq!(answer.is(200).json(), json!({"next": "/account/security", "codes": false}));
    let page = browser.get("/account/security").await;
    page.has_flash("passkey-optional").has_no_notice("codes");
    assert!(password_alone(&app, &ada).await);
    prove(&mut app.browser(), &mut device).await.is(200);
    app.age_confirmations();
    let page = browser.get("/confirm").await;
    assert_eq!(page.count("#code"), 0);
    browser.post("/confirm", &[("password", ada.password)]).await.is(303);
    browser.get("/account/activity").await.has_event("passkey-added");
    let letter = app.letter(ada.email, subjects::FACTOR_ADDED).await;
    assert!(letter.text.contains("Your password alone still logs you in as well."), "{}", letter.text);
    browser.get("/account/security").await;
    browser.post("/account/recovery-codes", &[]).await.redirects_to("/account/security");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 0);
    // An administrator sees the choice.
    let mut grace = app.logged_in(&app.grace().await).await;
    grace.get(&format!("/admin/users/{}", ada.id)).await.has_notice("step-off");
}

#[actix_web::test]
async fn only_the_very_word_weakens_anything() {
    for choice in ["", "required", "Off", "OFF", "off%20", "0", "no"] {
        let app = TestApp::spawn();
        let ada = app.ada().await;
        let mut browser = app.logged_in(&ada).await;
        add_with(&mut browser, &mut Authenticator::new(&app.origin), choice).await.is(200);
        assert!(!password_alone(&app, &ada).await, "{choice:?}");
        browser.get("/account/security").await.is(200);
        browser.post(STEP, &[("second_step", choice)]).await.redirects_to("/account/security");
        assert!(!password_alone(&app, &ada).await, "{choice:?}");
    }
}

#[actix_web::test]
async fn a_further_passkey_changes_nothing_about_the_password() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = inside(&app, &mut device).await;
    add_with(&mut browser, &mut Authenticator::new(&app.origin), "off").await.is(200);
    assert!(!password_alone(&app, &ada).await);
    let (mut browser, _) = optional(&app, &grace).await;
    add_with(&mut browser, &mut Authenticator::new(&app.origin), "required").await.is(200);
    assert!(password_alone(&app, &grace).await);
}

#[actix_web::test]
async fn an_authenticator_app_requires_a_second_step_regardless_of_the_choice_for_passkeys() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.enrol(&mut browser).await;
    browser.get("/account/security").await.does_not_say("second_step");
    add_with(&mut browser, &mut Authenticator::new(&app.origin), "off").await.is(200);
    assert!(!password_alone(&app, &ada).await);
    browser.get("/account/security").await.has_notice("step-app").has_no_notice("step-required");
    browser.post(STEP, &[("second_step", "off")]).await.redirects_to("/account/security");
    browser.get("/account/security").await.has_flash("step-unchanged");
    assert_eq!(app.events("passkey-step-off"), 0);
    // Without the app the passkey is the second step.
    browser.post("/account/totp/remove", &[]).await.is(303);
    assert!(!password_alone(&app, &ada).await);
}

#[actix_web::test]
async fn an_app_asks_for_a_second_step_also_where_passkeys_do_not() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut browser, _) = optional(&app, &ada).await;
    let (_, codes) = app.enrol(&mut browser).await;
    assert_eq!(codes.len(), 10);
    assert!(!password_alone(&app, &ada).await);
}

#[actix_web::test]
async fn turning_it_off_takes_a_confirmation_and_is_recorded_told_and_taken_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut thief = inside(&app, &mut device).await;
    thief.get("/account/security").await.has_notice("step-required");
    thief.post("/account/recovery-codes", &[]).await.is(200);
    let mut waiting = app.browser();
    waiting.log_in(ada.email, ada.password).await.redirects_to("/login/second-factor");
    // An earlier email does not affect it, and the passkey was there before.
    app.db.execute("DELETE FROM account_links; UPDATE passkeys SET created_at = now() - interval '1 day'");
    app.age_confirmations();
    thief.post(STEP, &[("second_step", "off")]).await.redirects_to("/confirm");
    assert!(!password_alone(&app, &ada).await);
    prove(&mut thief, &mut device).await.is(200);
    thief.get("/account/security").await.is(200);
    thief.post(STEP, &[("second_step", "off")]).await.redirects_to("/account/security");
    thief.get("/account/security").await.has_flash("step-off");
    thief.post(STEP, &[("second_step", "off")]).await.redirects_to("/account/security");
    assert_eq!((app.events("passkey-step-off"), app.count_letters(subjects::PASSKEY_STEP_OFF).await), (1, 1));
    thief.get("/account/activity").await.has_event("passkey-step-off");
    for table in ["recovery_codes", "pending_logins"] {
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert!(password_alone(&app, &ada).await);

    let letter = app.letter(ada.email, subjects::PASSKEY_STEP_OFF).await;
    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200).is_page("mailed_link");
    owner.post("/undo-factor", &[("token", &letter.token())]).await.redirects_to("/login");
    assert!(!thief.is_in().await);
    app.browser().log_in(ada.email, ada.password).await.is(422);
    logs_in_anew(&app, &mut owner, &ada).await.redirects_to("/login/second-factor");
    prove(&mut app.browser(), &mut device).await.is(200);
}

#[actix_web::test]
async fn turning_it_on_brings_codes_once_and_is_told_and_taken_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut browser, mut device) = optional(&app, &ada).await;
    app.db.execute(
        "DELETE FROM account_links; UPDATE passkeys SET created_at = now() - interval '1 day'; \
         UPDATE users SET password_alone_since = now() - interval '1 day'; DELETE FROM outbox",
    );
    let page = browser.post(STEP, &[("second_step", "required")]).await;
    page.is(200).has_flash("step-required");
    page.has_notice("codes-for-passkey").has_no_notice("codes-replaced");
    assert_eq!(page.count("li.code"), 10);
    assert!(!password_alone(&app, &ada).await);
    // The page is reloaded.
    browser.post(STEP, &[("second_step", "required")]).await.redirects_to("/account/security");
    browser.get("/account/security").await.has_flash("codes-shown").has_codes_left(10);
    assert_eq!(app.events("passkey-step-on"), 1);
    let letter = app.letter(ada.email, subjects::FACTOR_ADDED).await;
    assert!(letter.text.contains("set to require a passkey after your password"), "{}", letter.text);
    // Another person turned it on: the owner, who has no passkey at hand, can log in again.
    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200);
    owner.post("/undo-factor", &[("token", &letter.token())]).await.redirects_to("/login");
    logs_in_anew(&app, &mut owner, &ada).await.redirects_to("/home");
    prove(&mut app.browser(), &mut device).await.is(200);
}

#[actix_web::test]
async fn the_choice_goes_with_the_last_passkey() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut browser, _) = optional(&app, &ada).await;
    let id: String = app.db.scalar("SELECT id::text FROM passkeys");
    browser.post(&format!("/account/passkeys/{id}/remove"), &[]).await.is(303);
    let left = "SELECT count(*) FROM users WHERE password_alone_since IS NOT NULL";
    assert_eq!(app.db.scalar::<i64>(left), 0);
    browser.get("/account/security").await.has_notice("step-choice");
    for choice in ["off", "required"] {
        browser.post(STEP, &[("second_step", choice)]).await.redirects_to("/account/security");
    }
    assert_eq!(app.events("passkey-step-off") + app.events("passkey-step-on"), 0);
    add(&mut browser, &mut Authenticator::new(&app.origin)).await.is(200);
    assert!(!password_alone(&app, &ada).await);
}

#[actix_web::test]
async fn the_operator_takes_passkeys_away_that_nothing_asks_for() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (_, mut device) = optional(&app, &ada).await;
    let reset = app.accounts.admin.reset_factors(UserId(ada.id), Client::default()).await;
    assert!(reset.expect("an answer"));
    prove(&mut app.browser(), &mut device).await.is(422);
    assert!(password_alone(&app, &ada).await);
}

/// An older version requires every passkey; what it wrote means the same to this version.
#[actix_web::test]
async fn a_passkey_of_an_older_version_is_required() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.db.execute("INSERT INTO passkeys (user_id, credential_id, credential, name) SELECT id, 'x', '{}', 'Analytical Engine' FROM users");
    assert!(!password_alone(&app, &ada).await);
}
