//! Logging in and confirming with a passkey.

use futures_util::future::join_all;
use serde_json::json;

use super::{COPIED, EXPIRED, UNKNOWN, asked_to_log_in, inside, passkey_of, prove, refuses};
use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;

#[actix_web::test]
async fn a_passkey_alone_logs_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = app.browser();
    let answer = prove(&mut browser, &mut device).await;
    assert_eq!(answer.is(200).json(), json!({"next": "/home"}));
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["latchkey", "latchkey-browser", "latchkey-form"]);
    browser.get("/home").await.is(200).says("Ada Lovelace").says("Passkey");
    // A new log-in needs no confirmation.
    let page = browser.get("/account/security").await;
    page.is(200).says("last used just now");
    let factors: String = app.db.scalar("SELECT string_agg(factor, ' ' ORDER BY created_at) FROM sessions");
    assert_eq!(factors, "password passkey");
    assert_eq!(app.events("logged-in"), 2);
    browser.get("/account/activity").await.has_event("logged-in");
}

#[actix_web::test]
async fn a_passkey_leads_on_and_keeps_people_logged_in_where_they_ask() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    for (next, leads) in [
        ("/account/activity", "/account/activity"),
        ("//evil.example", "/home"),
        ("https://evil.example", "/home"),
    ] {
        let mut browser = app.browser();
        let options = asked_to_log_in(&mut browser).await;
        let path = format!("/login/passkey/finish?remember=1&next={next}");
        let answer = browser.post_json(&path, &device.sign(&options)).await;
        assert_eq!(answer.is(200).json()["next"], leads);
        assert!(answer.cookie("latchkey").unwrap().contains("Max-Age"));
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions WHERE remember"), 3);
    let answer = prove(&mut app.browser(), &mut device).await;
    assert!(!answer.cookie("latchkey").unwrap().contains("Max-Age"));
}

#[actix_web::test]
async fn a_log_in_asks_for_any_passkey_and_for_its_person() {
    let app = TestApp::spawn();
    let options = asked_to_log_in(&mut app.browser()).await;
    assert_eq!(options.as_object().unwrap().keys().collect::<Vec<_>>(), ["publicKey"]);
    let options = &options["publicKey"];
    assert_eq!(options["rpId"], "localhost");
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["allowCredentials"], json!([]));
    assert!(options["timeout"].as_u64().unwrap() <= 300_000);
}

#[actix_web::test]
async fn a_device_that_counts_nothing_logs_in_as_often_as_it_likes() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut device = Authenticator { counts: false, ..Authenticator::new(&app.origin) };
    super::add(&mut browser, &mut device).await.is(200);
    for _ in 0..3 {
        prove(&mut app.browser(), &mut device).await.is(200);
    }
}

#[actix_web::test]
async fn an_answer_counts_once_also_when_it_comes_many_times_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let sessions = app.live_sessions(&ada);
    let mut browser = app.browser();
    let options = asked_to_log_in(&mut browser).await;
    let signed = device.sign(&options);
    let presses = (0..8).map(|_| {
        let (mut tab, signed) = (browser.copy(), signed.clone());
        async move { tab.post_json("/login/passkey/finish", &signed).await.status }
    });
    let mut statuses = join_all(presses).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422, 422, 422, 422, 422]);
    assert_eq!(app.live_sessions(&ada), sessions + 1);
    // A new signature is not accepted later either.
    refuses(&browser.post_json("/login/passkey/finish", &device.sign(&options)).await, EXPIRED);
}

#[actix_web::test]
async fn a_refused_answer_has_used_up_its_question() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = app.browser();
    let options = asked_to_log_in(&mut browser).await;
    let mut without_pin = Authenticator { verifies: false, ..device.clone() };
    browser.post_json("/login/passkey/finish", &without_pin.sign(&options)).await.is(422);
    refuses(&browser.post_json("/login/passkey/finish", &device.sign(&options)).await, EXPIRED);
}

#[actix_web::test]
async fn of_a_passkey_and_its_copy_used_at_once_one_gets_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut own = app.logged_in(&ada).await;
    let device = passkey_of(&app, &ada).await;
    let mut tabs = Vec::new();
    for _ in 0..4 {
        let mut browser = app.browser();
        let options = asked_to_log_in(&mut browser).await;
        tabs.push((browser, device.clone().sign(&options)));
    }
    let presses = tabs.into_iter().map(|(mut browser, signed)| async move {
        browser.post_json("/login/passkey/finish", &signed).await
    });
    let answers = join_all(presses).await;
    let (inside, outside): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((inside.len(), outside.len()), (1, 3));
    outside.iter().for_each(|answer| refuses(answer, COPIED));
    assert_eq!(app.events("passkey-copied"), 3);
    own.get("/account/security").await.has_notice("passkey-copied");
}

#[actix_web::test]
async fn confirming_with_a_passkey_opens_what_was_asked_for_and_kills_the_old_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = inside(&app, &mut device).await;
    app.age_confirmations();
    browser.get("/account/security").await.redirects_to("/confirm?next=/account/security");
    browser.get("/confirm?next=/account/security").await.is(200).has_passkey_button("confirm");
    let (mut thief, before, sessions) = (browser.copy(), browser.key(), app.live_sessions(&ada));
    let options = asked_to_log_in(&mut browser).await;
    let allowed = &options["publicKey"]["allowCredentials"];
    assert_eq!(allowed[0]["id"], latchkey::secret::encode(&device.id));
    let path = "/confirm/passkey/finish?next=/account/security";
    let answer = browser.post_json(path, &device.sign(&options)).await;
    assert_eq!(answer.is(200).json(), json!({"next": "/account/security"}));
    assert_ne!(browser.key(), before);
    browser.get("/account/security").await.is(200);
    assert!(!thief.is_in().await);
    // The same session goes on.
    assert_eq!(app.live_sessions(&ada), sessions);
    assert_eq!(app.events("confirmed"), 1);
    browser.get("/account/activity").await.has_event("confirmed");
}

#[actix_web::test]
async fn a_session_is_confirmed_with_passkeys_of_its_own_person_only() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = passkey_of(&app, &ada).await;
    let mut graces = passkey_of(&app, &grace).await;
    let mut browser = inside(&app, &mut adas).await;
    app.age_confirmations();
    let (key, sessions) = (browser.key(), app.live_sessions(&grace));
    refuses(&prove(&mut browser, &mut graces).await, UNKNOWN);
    assert_eq!(app.events("confirm-refused"), 1);
    // Nor is one that claims to be hers.
    graces.user = Some(ada.id.as_bytes().to_vec());
    refuses(&prove(&mut browser, &mut graces).await, UNKNOWN);
    browser.get("/account/security").await.redirects_to("/confirm?next=/account/security");
    assert_eq!((browser.key(), app.live_sessions(&grace)), (key, sessions));
    // A response without a user is accepted if the user is known.
    adas.user = None;
    prove(&mut browser, &mut adas).await.is(200);
    browser.get("/account/security").await.is(200);
}

#[actix_web::test]
async fn a_user_without_a_passkey_is_not_asked_for_one() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    passkey_of(&app, &grace).await;
    let mut browser = app.logged_in(&ada).await;
    let page = browser.get("/confirm").await;
    page.is(200).does_not_say("passkey");
    assert_eq!(page.count("script"), 0);
    // With an empty list, the browser would offer any user's passkey.
    refuses(&browser.post_json("/confirm/passkey/start", &json!({})).await, UNKNOWN);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM ceremonies"), 0);
}

#[actix_web::test]
async fn a_passkey_needs_no_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    // An attacker guesses passwords.
    for _ in 0..6 {
        app.browser().log_in(ada.email, "not-the-password-at-all").await;
    }
    app.browser().log_in(ada.email, ada.password).await.is(429);
    prove(&mut app.browser(), &mut device).await.is(200);
    app.db.execute("UPDATE users SET password_hash = NULL");
    let mut browser = app.browser();
    prove(&mut browser, &mut device).await.is(200);
    assert!(browser.is_in().await);
}
