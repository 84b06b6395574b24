//! Resetting a forgotten password.

use futures_util::future::join_all;
use latchkey::config::Transport;

use crate::support::app::{Letter, Person, TestApp};
use crate::support::browser::Answer;
use crate::support::subjects;

const NEW: &str = "gravel tuba otter lemon";

async fn link_for(app: &TestApp, person: &Person) -> Letter {
    app.browser()
        .fill_in("/forgot-password", &[("email", person.email)])
        .await
        .redirects_to("/forgot-password/sent");
    app.letter(person.email, subjects::RESET_PASSWORD).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    browser.post("/reset-password", &[("token", token), ("password", password)]).await
}

#[actix_web::test]
async fn known_unknown_and_disabled_addresses_get_the_same_answer() {
    let app = TestApp::spawn();
    let (ada, _) = (app.ada().await, app.grace().await);
    app.db.execute("UPDATE users SET disabled_at = now() WHERE email = 'grace@example.org'");
    let mut seen = Vec::new();
    for email in [ada.email, "nobody@example.org", "grace@example.org"] {
        let answer = app.browser().fill_in("/forgot-password", &[("email", email)]).await;
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        seen.push((answer.status, answer.header("location").map(str::to_owned), names, answer.body));
    }
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
    assert_eq!(app.letters().await.len(), 1);
    app.browser().get("/forgot-password/sent").await.is(200).is_page("forgot_password/sent");
    app.browser().fill_in("/forgot-password", &[("email", "ada@")]).await.is(422).is_refused("invalid-email");
}

#[actix_web::test]
async fn the_link_sets_a_password_ends_every_session_and_opens_none() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut laptop = app.logged_in(&ada).await;
    let letter = link_for(&app, &ada).await;
    assert!(letter.text.contains("30 minutes"), "{}", letter.text);
    let mut browser = app.browser();
    for _ in 0..2 {
        browser.open(&letter.link()).await.is(200).is_page("reset_password");
    }
    assert!(laptop.is_in().await);
    let token = letter.token();
    browser.post("/reset-password", &[("token", &token), ("password", NEW)]).await.redirects_to("/login");
    browser.get("/login").await.has_flash("password-reset");
    assert!(!browser.is_in().await && !laptop.is_in().await);
    assert_eq!(app.live_sessions(&ada), 0);
    browser.log_in(ada.email, ada.password).await.is(422);
    browser.log_in(ada.email, NEW).await.is(303);
    app.letter(ada.email, subjects::PASSWORD_CHANGED).await;
    app.browser().open(&letter.link()).await.is(410).is_refused("dead-link");
    reset(&app, &token, "hinge meadow oyster drum").await.is(422);
}

#[actix_web::test]
async fn of_twenty_posts_at_once_one_sets_the_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let token = link_for(&app, &ada).await.token();
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let posts = (0..20).map(|n| {
        let (mut browser, token) = (browser.copy(), token.clone());
        async move {
            let password = format!("{NEW} number {n}");
            (
                browser.post("/reset-password", &[("token", &token), ("password", &password)]).await.status,
                password,
            )
        }
    });
    let answers = join_all(posts).await;
    let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 303).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| [303, 422].contains(status)), "{answers:?}");
    app.browser().log_in(ada.email, &won[0].1).await.is(303);
    assert_eq!(app.events("password-reset"), 1);
    let told = app.letters().await.into_iter().filter(|letter| letter.subject == subjects::PASSWORD_CHANGED);
    assert_eq!(told.count(), 1);
}

#[actix_web::test]
async fn superseded_expired_and_made_up_links_are_dead() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let first = link_for(&app, &ada).await.token();
    app.db.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'");
    let second = link_for(&app, &ada).await.token();
    assert_ne!(first, second);
    for dead in ["", "x", &"A".repeat(43), &first] {
        app.browser().open(&format!("/reset-password?token={dead}")).await.is(410);
        reset(&app, dead, NEW).await.is(422).is_refused("dead-link");
    }
    app.db.execute("UPDATE user_tokens SET expires_at = now()");
    reset(&app, &second, NEW).await.is(422);
    app.db.execute("UPDATE user_tokens SET expires_at = now() + interval '1 minute'");
    reset(&app, &second, NEW).await.redirects_to("/login");
}

#[actix_web::test]
async fn a_weak_password_is_refused_and_the_link_still_works() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let token = link_for(&app, &ada).await.token();
    for (weak, why) in [("short", "too-short"), ("Ada Lovelace 1815", "about-you"), ("", "too-short")] {
        let refused = reset(&app, &token, weak).await;
        refused.is(422).is_refused(why);
        assert_eq!(refused.attribute("input[name=token]", "value").as_deref(), Some(token.as_str()));
    }
    reset(&app, &token, NEW).await.redirects_to("/login");
}

#[actix_web::test]
async fn a_disabled_person_cannot_reset_their_way_back_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let token = link_for(&app, &ada).await.token();
    app.db.execute("UPDATE users SET disabled_at = now()");
    reset(&app, &token, NEW).await.is(422);
    app.browser().log_in(ada.email, NEW).await.is(422);
}

#[actix_web::test]
async fn wrong_guesses_do_not_lock_out_the_owner() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..6 {
        app.browser().log_in(ada.email, "not-the-password-at-all").await;
    }
    app.browser().log_in(ada.email, ada.password).await.is(429);
    let token = link_for(&app, &ada).await.token();
    reset(&app, &token, NEW).await.redirects_to("/login");
    app.browser().log_in(ada.email, NEW).await.redirects_to("/home");
}

#[actix_web::test]
async fn without_mail_the_page_says_so_for_every_address_and_stores_nothing() {
    let app = TestApp::spawn_with(|settings| settings.mail.transport = Transport::None);
    let ada = app.ada().await;
    for email in [ada.email, "nobody@example.org"] {
        let answer = app.browser().fill_in("/forgot-password", &[("email", email)]).await;
        answer.is(422).is_refused("no-mail");
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM user_tokens"), 0);
}

#[actix_web::test]
async fn reset_emails_to_one_address_are_limited() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..9 {
        let answer = app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await;
        answer.redirects_to("/forgot-password/sent");
    }
    assert_eq!(app.letters().await.len(), 5);
}

#[actix_web::test]
async fn registering_anothers_address_repeatedly_does_not_block_their_reset_link() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let fields = [("name", "Eve"), ("email", ada.email), ("password", NEW)];
    let mut eve = app.browser();
    for _ in 0..6 {
        eve.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    }
    let token = link_for(&app, &ada).await.token();
    reset(&app, &token, NEW).await.redirects_to("/login");
}
