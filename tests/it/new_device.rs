//! A log-in from a new browser: the owner is notified and can end it with one button.

use futures_util::future::join_all;

use crate::support::app::TestApp;
use crate::support::subjects;

#[actix_web::test]
async fn a_new_browser_is_told_of_and_one_known_or_the_very_first_is_not() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut first = app.logged_in(&ada).await;
    assert_eq!(app.letters().await.len(), 0);
    let mut second = app.browser();
    second.headers.push(("user-agent", "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0".into()));
    second.log_in(ada.email, ada.password).await.is(303);
    let letter = app.letter(ada.email, subjects::NEW_DEVICE).await;
    assert!(letter.text.contains("from Firefox on Windows at 127.0.0.1"), "{}", letter.text);
    assert!(letter.text.contains("works for 7 days"), "{}", letter.text);
    for browser in [&mut first, &mut second] {
        browser.get("/home").await.is(200);
        browser.post("/logout", &[]).await.is(303);
        browser.log_in(ada.email, ada.password).await.is(303);
    }
    assert_eq!(app.count_letters(subjects::NEW_DEVICE).await, 1);
}

#[actix_web::test]
async fn the_letter_says_when_the_oldest_session_ended_for_the_new_one() {
    const ENDED: &str = "You can have 100 sessions, so your oldest one was ended";
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut oldest = app.logged_in(&ada).await;
    app.logged_in(&ada).await;
    assert!(!app.letter(ada.email, subjects::NEW_DEVICE).await.text.contains("oldest"));
    app.db.execute(
        "DELETE FROM outbox; UPDATE sessions SET created_at = created_at - interval '1 hour'; \
         INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at) \
         SELECT sha256(i::text::bytea), principal, factor, address, user_agent, expires_at \
         FROM (SELECT * FROM sessions LIMIT 1) s, generate_series(1, 98) i",
    );
    app.db.execute("UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE key_hash = (SELECT key_hash FROM sessions ORDER BY created_at LIMIT 1)");
    app.logged_in(&ada).await;
    let letter = app.letter(ada.email, subjects::NEW_DEVICE).await;
    assert!(letter.text.contains(ENDED), "{}", letter.text);
    assert_eq!(app.live_sessions(&ada), 100);
    let _ = oldest.get("/home").await;
}

#[actix_web::test]
async fn not_me_ends_every_session_forgets_every_browser_and_mails_a_reset_link() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut mine = app.logged_in(&ada).await;
    let mut theirs = app.logged_in(&ada).await;
    let letter = app.letter(ada.email, subjects::NEW_DEVICE).await;
    let mut mailbox = app.browser();
    mailbox.open(&letter.link()).await.is(200).is_page("mailed_link");
    assert!(theirs.is_in().await);
    mailbox.post("/not-me", &[("token", &letter.token())]).await.redirects_to("/login");
    mailbox.get("/login").await.has_flash("not-me");
    assert!(!mine.is_in().await && !theirs.is_in().await);
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    app.browser().open(&reset.link()).await.is(200);
    assert_eq!((app.events("session-disowned"), app.events("reset-requested")), (1, 1));
    mailbox.open(&letter.link()).await.is(410);
    mailbox.fill_in("/login", &[]).await;
    mailbox.post("/not-me", &[("token", &letter.token())]).await.is(422).is_refused("dead-link");
    // The intruder knew the password. After the new password, their browser counts as new again.
    theirs.log_in(ada.email, ada.password).await.is(422);
    let fields = [("token", reset.token()), ("password", "gravel tuba otter lemon".to_owned())];
    mailbox
        .post("/reset-password", &fields.each_ref().map(|(name, value)| (*name, value.as_str())))
        .await
        .is(303);
    theirs.log_in(ada.email, "gravel tuba otter lemon").await.is(303);
    assert_eq!(app.count_letters(subjects::NEW_DEVICE).await, 2);
}

#[actix_web::test]
async fn a_reset_link_does_not_go_to_an_address_changed_meanwhile() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    let mut theirs = app.logged_in(&ada).await;
    let letter = app.letter(ada.email, subjects::NEW_DEVICE).await;
    theirs.fill_in("/account/email", &[("email", "thief@example.org")]).await.is(303);
    let confirm = app.letter("thief@example.org", subjects::CONFIRM_EMAIL).await;
    app.browser().fill_in(&confirm.link(), &[("token", &confirm.token())]).await.redirects_to("/login");
    let mut owner = app.browser();
    owner.fill_in(&letter.link(), &[("token", &letter.token())]).await.redirects_to("/login");
    owner.get("/login").await.has_flash("not-me-elsewhere");
    assert!(!theirs.is_in().await);
    assert_eq!(app.count_letters(subjects::RESET_PASSWORD).await, 0);
}

#[actix_web::test]
async fn ten_simultaneous_reports_send_one_reset_link() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    let mut second = app.logged_in(&ada).await;
    let token = app.letter(ada.email, subjects::NEW_DEVICE).await.token();
    let mut third = app.logged_in(&ada).await;
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let presses = (0..10).map(|_| {
        let (mut browser, token) = (browser.copy(), token.clone());
        async move { browser.post("/not-me", &[("token", &token)]).await.status }
    });
    let statuses = join_all(presses).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(!second.is_in().await && !third.is_in().await);
    assert_eq!(app.count_letters(subjects::RESET_PASSWORD).await, 1);
}

#[actix_web::test]
async fn the_link_dies_with_time_and_with_the_account() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    let letter = app.letter(ada.email, subjects::NEW_DEVICE).await;
    for dead in ["expires_at = now()", "expires_at = now() + interval '1 day'"] {
        app.db.execute(&format!("UPDATE account_links SET {dead}"));
        let live = dead.contains("day");
        app.browser().open(&letter.link()).await.is(if live { 200 } else { 410 });
    }
    app.db.execute("UPDATE users SET disabled_at = now()");
    app.browser().open(&letter.link()).await.is(410);
    app.browser().fill_in(&letter.link(), &[("token", &letter.token())]).await;
    app.db.execute("UPDATE users SET disabled_at = NULL");
    assert!(other.is_in().await);
}

#[actix_web::test]
async fn two_people_at_one_browser_are_both_known_there() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut shared = app.browser();
    for person in [&ada, &grace, &ada, &grace] {
        shared.log_in(person.email, person.password).await.is(303);
        shared.get("/home").await.is(200);
        shared.post("/logout", &[]).await.is(303);
    }
    assert_eq!(app.letters().await.len(), 0);
    assert_eq!(app.db.scalar::<i64>("SELECT count(DISTINCT token_hash) FROM known_browsers"), 1);
}
