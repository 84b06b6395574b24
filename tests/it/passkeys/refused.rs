//! Signatures that must be refused.

use serde_json::json;

use super::{
    COPIED, EXPIRED, NOT_CHECKED, NOT_VERIFIED, UNKNOWN, add, asked, asked_to_log_in, prove, refuses,
};
use crate::support::app::{Person, TestApp};
use crate::support::authenticator::Authenticator;
use crate::support::browser::Browser;
use crate::support::subjects;

struct Door {
    app: TestApp,
    ada: Person,
    device: Authenticator,
    sessions: i64,
    /// The browser in which the owner registered the passkey.
    own: Browser,
}

impl Door {
    async fn new() -> Self {
        let app = TestApp::spawn();
        let ada = app.ada().await;
        let mut own = app.logged_in(&ada).await;
        let mut device = Authenticator::new(&app.origin);
        add(&mut own, &mut device).await.is(200);
        let sessions = app.live_sessions(&ada);
        Self { app, ada, device, sessions, own }
    }

    /// A visitor with this passkey is not logged in.
    async fn keeps_out(&self, device: Authenticator, words: &str) {
        let mut browser = self.app.browser();
        let answer = prove(&mut browser, &mut device.clone()).await;
        refuses(&answer, words);
        assert_eq!(answer.cookie("latchkey"), None);
        assert!(!browser.is_in().await);
        assert_eq!(self.app.live_sessions(&self.ada), self.sessions);
    }
}

#[actix_web::test]
async fn a_passkey_that_did_not_verify_its_person() {
    let mut door = Door::new().await;
    door.keeps_out(Authenticator { verifies: false, ..door.device.clone() }, NOT_VERIFIED).await;
    door.keeps_out(Authenticator { present: false, ..door.device.clone() }, NOT_CHECKED).await;
    assert_eq!(door.app.events("passkey-refused"), 2);
    door.own.get("/account/activity").await.has_event("passkey-refused").says("Unknown device");
}

#[actix_web::test]
async fn a_passkey_used_on_a_page_that_is_not_ours() {
    let door = Door::new().await;
    let port = door.app.origin.rsplit(':').next().unwrap();
    for origin in [
        "https://evil.example".to_owned(),
        "http://localhost".to_owned(),
        "http://localhost:1".to_owned(),
        format!("https://localhost:{port}"),
        format!("http://a.localhost:{port}"),
        format!("http://localhost.evil.example:{port}"),
    ] {
        door.keeps_out(Authenticator { origin, ..door.device.clone() }, NOT_CHECKED).await;
    }
    for site in ["evil.example", "a.localhost", ""] {
        door.keeps_out(Authenticator { site: site.into(), ..door.device.clone() }, NOT_CHECKED).await;
    }
}

#[actix_web::test]
async fn a_passkey_whose_counter_went_back() {
    let door = Door::new().await;
    let copy = door.device.clone();
    let mut device = door.device.clone();
    for _ in 0..3 {
        prove(&mut door.app.browser(), &mut device).await.is(200);
    }
    let mut door = Door { sessions: door.sessions + 3, device, ..door };
    door.keeps_out(copy.clone(), COPIED).await;
    // The same counter again is refused, and so is a passkey that stopped counting.
    door.keeps_out(Authenticator { counter: door.device.counter - 1, ..copy.clone() }, COPIED).await;
    door.keeps_out(Authenticator { counts: false, counter: 0, ..copy }, COPIED).await;
    assert_eq!(door.app.events("passkey-copied"), 3);
    // The owner is notified only once.
    let letters = door.app.letters().await;
    let told = letters.iter().filter(|letter| letter.subject == subjects::PASSKEY_COPIED);
    let told: Vec<_> = told.map(|letter| letter.to.as_str()).collect();
    assert_eq!(told, [door.ada.email]);
    let page = door.own.get("/account/security").await;
    page.has_notice("passkey-copied");
    // The server cannot know which one is the owner's; the one with the higher counter keeps working.
    prove(&mut door.app.browser(), &mut door.device.clone()).await.is(200);
}

#[actix_web::test]
async fn a_passkey_of_a_disabled_user() {
    let door = Door::new().await;
    let mut browser = door.app.browser();
    let options = asked_to_log_in(&mut browser).await;
    door.app.db.execute("UPDATE users SET disabled_at = now()");
    refuses(&browser.post_json("/login/passkey/finish", &door.device.clone().sign(&options)).await, UNKNOWN);
    door.keeps_out(door.device.clone(), UNKNOWN).await;
    door.app.db.execute("UPDATE users SET disabled_at = NULL");
    prove(&mut door.app.browser(), &mut door.device.clone()).await.is(200);
}

#[actix_web::test]
async fn a_passkey_that_was_removed_or_never_made() {
    let mut door = Door::new().await;
    let mut browser = door.app.browser();
    let options = asked_to_log_in(&mut browser).await;
    let id: String = door.app.db.scalar("SELECT id::text FROM passkeys");
    door.own.get("/account/security").await.is(200);
    let path = format!("/account/passkeys/{id}/remove");
    door.own.post(&path, &[]).await.redirects_to("/account/security");
    let signed = door.device.clone().sign(&options);
    refuses(&browser.post_json("/login/passkey/finish", &signed).await, UNKNOWN);
    door.keeps_out(door.device.clone(), UNKNOWN).await;
    let made_up = Authenticator::new(&door.app.origin);
    door.keeps_out(Authenticator { user: Some(door.ada.id.as_bytes().to_vec()), ..made_up }, UNKNOWN).await;
    assert_eq!(door.app.events("log-in-refused"), 3);
}

#[actix_web::test]
async fn a_passkey_that_names_another_user_or_none() {
    let door = Door::new().await;
    let grace = door.app.grace().await;
    for user in [Some(grace.id.as_bytes().to_vec()), Some(b"ada".to_vec()), Some(Vec::new()), None] {
        door.keeps_out(Authenticator { user, ..door.device.clone() }, UNKNOWN).await;
    }
}

#[actix_web::test]
async fn a_signature_that_was_tampered_with() {
    let door = Door::new().await;
    let other = Authenticator::new(&door.app.origin);
    // Another key under the same credential id.
    let forged =
        Authenticator { id: door.device.id.clone(), user: door.device.user.clone(), counter: 9, ..other };
    door.keeps_out(forged, NOT_CHECKED).await;
    for part in ["signature", "authenticatorData"] {
        let mut browser = door.app.browser();
        let options = asked_to_log_in(&mut browser).await;
        let mut signed = door.device.clone().sign(&options);
        let text = signed["response"][part].as_str().unwrap().to_owned();
        let middle = text.len() / 2;
        let turned = if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
        signed["response"][part] = json!(format!("{}{turned}{}", &text[..middle], &text[middle + 1..]));
        browser.post_json("/login/passkey/finish", &signed).await.is(422);
        assert!(!browser.is_in().await, "{part}");
    }
}

#[actix_web::test]
async fn an_answer_to_the_challenge_of_another_browser() {
    let door = Door::new().await;
    let mut victim = door.app.browser();
    let options = asked_to_log_in(&mut victim).await;
    let signed = door.device.clone().sign(&options);
    let mut thief = door.app.browser();
    thief.get("/login").await.is(200);
    refuses(&thief.post_json("/login/passkey/finish", &signed).await, EXPIRED);
    // Requested as a visitor, answered in a session: for another purpose.
    let mut inside = door.own.copy();
    inside.get("/account").await.is(200);
    refuses(&inside.post_json("/confirm/passkey/finish", &signed).await, EXPIRED);
    let to_confirm = asked(&mut inside, "/confirm/passkey/start").await;
    let confirming = door.device.clone().sign(&to_confirm);
    refuses(&thief.post_json("/login/passkey/finish", &confirming).await, EXPIRED);
    // The browser that requested it may still respond.
    victim.post_json("/login/passkey/finish", &signed).await.is(200);
}

#[actix_web::test]
async fn an_answer_that_comes_too_late() {
    let door = Door::new().await;
    for (seconds, status) in [(299, 200), (300, 422)] {
        let mut browser = door.app.browser();
        let options = asked_to_log_in(&mut browser).await;
        door.app.db.execute(&format!(
            "UPDATE ceremonies SET expires_at = expires_at - interval '{seconds} seconds'"
        ));
        let mut device = Authenticator { counter: door.device.counter + 10 + status, ..door.device.clone() };
        let answer = browser.post_json("/login/passkey/finish", &device.sign(&options)).await;
        assert_eq!(u32::from(answer.status), status, "{seconds}");
        assert_eq!(browser.cookies.contains_key("latchkey"), status == 200);
    }
}

/// The browser cannot choose the challenge: one that the server did not issue is refused.
#[actix_web::test]
async fn an_answer_to_a_challenge_that_was_never_issued() {
    let door = Door::new().await;
    let mut browser: Browser = door.app.browser();
    browser.get("/login").await.is(200);
    for challenge in [json!("A".repeat(43)), json!(""), json!(7), json!(null)] {
        let options = json!({"publicKey": {"challenge": challenge}});
        let signed = door.device.clone().sign(&options);
        refuses(&browser.post_json("/login/passkey/finish", &signed).await, EXPIRED);
    }
}
