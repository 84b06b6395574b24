//! Registering passkeys.

use futures_util::future::join_all;
use serde_json::json;

use super::{EXPIRED, NOT_CHECKED, NOT_VERIFIED, add, asked, passkey_of, prove, refuses};
use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;
use crate::support::subjects;

#[actix_web::test]
async fn a_passkey_is_asked_for_that_finds_its_account_and_verifies_its_person() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let options = &asked(&mut browser, "/account/passkeys/start").await["publicKey"];
    assert_eq!(options["rp"], json!({"name": "Latchkey", "id": "localhost"}));
    assert_eq!(options["user"]["name"], ada.email);
    assert_eq!(options["user"]["displayName"], ada.name);
    assert_eq!(options["user"]["id"], latchkey::secret::encode(ada.id.as_bytes()));
    let selection = &options["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["requireResidentKey"], true);
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["excludeCredentials"], json!([]));
    // At least 64 bits (ASVS 5.0 6.7.2).
    assert!(options["challenge"].as_str().unwrap().len() >= 43);
}

#[actix_web::test]
async fn a_new_passkey_is_named_after_its_device_and_noted() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let chrome = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36";
    browser.headers.push(("user-agent", chrome.into()));
    for _ in 0..3 {
        let answer = add(&mut browser, &mut Authenticator::new(&app.origin)).await;
        assert_eq!(answer.is(200).json(), json!({"next": "/account/security", "codes": true}));
    }
    let page = browser.get("/account/security").await;
    page.is(200).has_flash("passkey-added").has_notice("never-used");
    let names: String = app.db.scalar("SELECT string_agg(name, ', ' ORDER BY created_at) FROM passkeys");
    assert_eq!(names, "Chrome on Windows, Chrome on Windows (2), Chrome on Windows (3)");
    assert_eq!(app.events("passkey-added"), 3);
    browser.get("/account/activity").await.has_event("passkey-added").says("Chrome on Windows (3)");
    let letter = app.letter(ada.email, subjects::FACTOR_ADDED).await;
    assert!(letter.text.contains("A passkey was added"), "{}", letter.text);
}

#[actix_web::test]
async fn one_device_makes_one_passkey_for_an_account_and_none_for_two() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut device = Authenticator::new(&app.origin);
    add(&mut browser, &mut device).await.is(200);
    let options = asked(&mut browser, "/account/passkeys/start").await;
    let excluded = &options["publicKey"]["excludeCredentials"];
    assert_eq!(excluded.as_array().unwrap().len(), 1);
    assert_eq!(excluded[0]["id"], latchkey::secret::encode(&device.id));
    // A browser that requests it anyway.
    let again = browser.post_json("/account/passkeys/finish", &device.make(&options)).await;
    refuses(&again, "already-registered");
    // Another user who knows the credential id cannot register it as theirs.
    let mut graces = app.logged_in(&grace).await;
    let mut copy = Authenticator { id: device.id.clone(), ..Authenticator::new(&app.origin) };
    refuses(&add(&mut graces, &mut copy).await, "already-registered");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM passkeys"), 1);
    prove(&mut app.browser(), &mut device).await.is(200);
}

#[actix_web::test]
async fn an_invalid_registration_creates_no_passkey() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let fine = || Authenticator::new(&app.origin);
    for (what, mut device, words) in [
        ("no PIN", Authenticator { verifies: false, ..fine() }, NOT_VERIFIED),
        ("user not present", Authenticator { present: false, ..fine() }, NOT_CHECKED),
        ("another site", Authenticator { site: "evil.example".into(), ..fine() }, NOT_CHECKED),
        ("another page", Authenticator { origin: "https://evil.example".into(), ..fine() }, NOT_CHECKED),
        ("another port", Authenticator { origin: "http://localhost:1".into(), ..fine() }, NOT_CHECKED),
    ] {
        let answer = add(&mut browser, &mut device).await;
        assert_eq!(answer.status, 422, "{what}");
        refuses(&answer, words);
    }
    // The response to a log-in does not register a passkey either, and the reverse.
    let options = asked(&mut browser, "/account/passkeys/start").await;
    let mut device = fine();
    let mut made = device.make(&options);
    let asked_otherwise = asked(&mut app.browser(), "/login/passkey/start").await;
    made["response"]["clientDataJSON"] = device.sign(&asked_otherwise)["response"]["clientDataJSON"].clone();
    refuses(&browser.post_json("/account/passkeys/finish", &made).await, EXPIRED);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM passkeys"), 0);
    assert_eq!(app.events("passkey-added"), 0);
}

#[actix_web::test]
async fn a_question_makes_one_passkey_however_often_it_is_answered_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let options = asked(&mut browser, "/account/passkeys/start").await;
    let presses = (0..8).map(|_| {
        let (mut tab, made) = (browser.copy(), Authenticator::new(&app.origin).make(&options));
        async move { tab.post_json("/account/passkeys/finish", &made).await.status }
    });
    let mut statuses = join_all(presses).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422, 422, 422, 422, 422]);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM passkeys"), 1);
}

#[actix_web::test]
async fn a_question_is_for_the_session_that_asked_and_for_five_minutes() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut second = app.logged_in(&ada).await;
    let mut graces = app.logged_in(&grace).await;
    let options = asked(&mut browser, "/account/passkeys/start").await;
    let made = Authenticator::new(&app.origin).make(&options);
    for other in [&mut second, &mut graces] {
        other.get("/account").await.is(200);
        refuses(&other.post_json("/account/passkeys/finish", &made).await, EXPIRED);
    }
    // Another user's response did not consume the challenge.
    app.db.execute("UPDATE ceremonies SET expires_at = expires_at - interval '299 seconds'");
    browser.post_json("/account/passkeys/finish", &made).await.is(200);
    let options = asked(&mut browser, "/account/passkeys/start").await;
    app.db.execute("UPDATE ceremonies SET expires_at = expires_at - interval '300 seconds'");
    let late = Authenticator::new(&app.origin).make(&options);
    refuses(&browser.post_json("/account/passkeys/finish", &late).await, EXPIRED);
}

#[actix_web::test]
async fn an_account_holds_twenty_and_two_at_once_do_not_make_it_more() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for _ in 0..18 {
        add(&mut browser, &mut Authenticator::new(&app.origin)).await.is(200);
    }
    let mut tabs = Vec::new();
    for _ in 0..4 {
        let options = asked(&mut browser, "/account/passkeys/start").await;
        tabs.push((browser.copy(), Authenticator::new(&app.origin).make(&options)));
    }
    let presses = tabs
        .into_iter()
        .map(|(mut tab, made)| async move { tab.post_json("/account/passkeys/finish", &made).await.status });
    let mut statuses = join_all(presses).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 422, 422]);
    refuses(&add(&mut browser, &mut Authenticator::new(&app.origin)).await, "limit-reached");
}

#[actix_web::test]
async fn nothing_that_is_kept_signs_anything() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    prove(&mut app.browser(), &mut device).await.is(200);
    let kept: String = app.db.scalar("SELECT credential::text FROM passkeys");
    assert!(kept.contains("\"EC_EC2\"") || kept.contains("SECP256R1"), "{kept}");
    assert!(!kept.to_lowercase().contains("private"), "{kept}");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM ceremonies"), 0);
}
