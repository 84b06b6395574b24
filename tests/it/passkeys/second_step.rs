//! After the password, a user with a passkey must present it or a recovery code.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{EXPIRED, UNKNOWN, inside, passkey_of, refuses};
use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;

const START: &str = "/login/second-factor/passkey/start";
const FINISH: &str = "/login/second-factor/passkey/finish?next=/account";

/// A browser with a pending log-in.
async fn halfway(app: &TestApp, person: &Person) -> Browser {
    let mut browser = app.browser();
    browser.log_in(person.email, person.password).await.redirects_to("/login/second-factor");
    browser.get("/login/second-factor").await.is(200).has_passkey_button("second-factor");
    browser
}

async fn asked(browser: &mut Browser) -> Value {
    browser.post_json(START, &json!({})).await.is(200).json()
}

#[actix_web::test]
async fn the_password_of_a_user_with_a_passkey_opens_no_session_until_the_passkey_completes_the_login() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    app.db.execute("DELETE FROM sessions");
    let mut browser = halfway(&app, &ada).await;
    assert!(!browser.is_in().await);
    let (mut thief, pending) = (browser.copy(), browser.key());
    browser.get("/login/second-factor").await.is(200);
    let options = asked(&mut browser).await;
    assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], latchkey::secret::encode(&device.id));
    // The response need not name its user.
    device.user = None;
    let answer = browser.post_json(FINISH, &device.sign(&options)).await;
    assert_eq!(answer.is(200).json(), json!({"next": "/account"}));
    assert!(browser.is_in().await && !thief.is_in().await);
    assert_ne!(browser.key(), pending);
    assert_eq!(app.db.scalar::<String>("SELECT factor FROM sessions"), "password+passkey");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM pending_logins"), 0);
    // The owner gets no notice afterwards either.
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 0);
}

#[actix_web::test]
async fn the_second_step_is_for_the_person_of_the_first() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    passkey_of(&app, &ada).await;
    let mut graces = passkey_of(&app, &grace).await;
    let sessions = (app.live_sessions(&ada), app.live_sessions(&grace));
    let mut browser = halfway(&app, &ada).await;
    for user in [Some(grace.id), Some(ada.id), None] {
        let options = asked(&mut browser).await;
        graces.user = user.map(|id| id.as_bytes().to_vec());
        refuses(&browser.post_json(FINISH, &graces.sign(&options)).await, UNKNOWN);
    }
    assert!(!browser.is_in().await);
    assert_eq!((app.live_sessions(&ada), app.live_sessions(&grace)), sessions);
    assert_eq!((app.events("second-factor-refused"), app.events("confirm-refused")), (3, 0));
}

#[actix_web::test]
async fn a_log_in_is_completed_once_however_many_try_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let before = app.live_sessions(&ada);
    let mut browser = halfway(&app, &ada).await;
    let mut tabs = Vec::new();
    for _ in 0..4 {
        let options = asked(&mut browser).await;
        tabs.push((browser.copy(), device.sign(&options)));
    }
    let presses = tabs.into_iter().map(|(mut tab, signed)| async move {
        let answer = tab.post_json(FINISH, &signed).await;
        (tab.is_in().await, answer.status)
    });
    let inside = join_all(presses).await.into_iter().filter(|(inside, _)| *inside).count();
    assert_eq!(inside, 1);
    assert_eq!(app.live_sessions(&ada), before + 1);
}

#[actix_web::test]
async fn a_log_in_that_waited_too_long_or_whose_password_changed_begins_anew() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let before = app.live_sessions(&ada);
    for change in [
        "UPDATE pending_logins SET expires_at = now()",
        "UPDATE users SET password_hash = password_hash || 'x'",
    ] {
        let mut browser = halfway(&app, &ada).await;
        let options = asked(&mut browser).await;
        app.db.execute(change);
        let answer = browser.post_json(FINISH, &device.sign(&options)).await;
        assert_eq!(answer.is(403).json()["next"], "/login?next=/account", "{change}");
        assert!(!browser.is_in().await);
        let answer = browser.post_json(START, &json!({})).await;
        assert_eq!(answer.is(403).json()["next"], "/login", "{change}");
        assert_eq!(browser.cookies["latchkey-flash"], "log-in-expired", "{change}");
    }
    assert_eq!(app.live_sessions(&ada), before);
}

#[actix_web::test]
async fn an_answer_for_the_second_step_opens_nothing_without_the_first() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = halfway(&app, &ada).await;
    let signed = device.sign(&asked(&mut browser).await);
    let mut stranger = app.browser();
    stranger.get("/login").await.is(200);
    refuses(&stranger.post_json("/login/passkey/finish", &signed).await, EXPIRED);
    browser.post_json(FINISH, &signed).await.is(200);
}

#[actix_web::test]
async fn a_recovery_code_stands_in_for_a_lost_passkey_and_goes_with_the_last_one() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut own = inside(&app, &mut device).await;
    own.get("/account/security").await.is(200).has_notice("codes-for-passkey");
    let page = own.post("/account/recovery-codes", &[]).await;
    let code = page.is(200).text("li.code").expect("a code");
    let mut browser = halfway(&app, &ada).await;
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
    assert!(browser.is_in().await);
    let id: String = app.db.scalar("SELECT id::text FROM passkeys");
    own.get("/account/security").await.is(200);
    own.post(&format!("/account/passkeys/{id}/remove"), &[]).await.is(303);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 0);
    app.logged_in(&ada).await;
}
