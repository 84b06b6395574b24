//! Proving an address with the link that was mailed.

use futures_util::future::join_all;

use crate::support::app::{Letter, TestApp};
use crate::support::browser::Browser;

const GOOD: &str = "gravel tuba otter lemon";

async fn registered(app: &TestApp) -> (Browser, Letter) {
    let mut browser = app.browser();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD)];
    browser.fill_in("/register", &fields).await.is(303);
    let letter = app.letter("alan@example.org", "Confirm your e-mail address").await;
    browser.get("/login").await.is(200);
    (browser, letter)
}

fn users(app: &TestApp) -> i64 {
    app.db.scalar("SELECT count(*) FROM users")
}

#[actix_web::test]
async fn looking_at_the_link_consumes_nothing() {
    let app = TestApp::spawn();
    let (mut browser, letter) = registered(&app).await;
    for _ in 0..3 {
        browser.open(&letter.link()).await.is(200).says("Confirm your e-mail address");
        let head = browser.request(reqwest::Method::HEAD, &letter.link());
        browser.send(head).await.is(303);
    }
    assert_eq!(users(&app), 0);
    browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    assert_eq!((users(&app), app.events("registered")), (1, 1));
}

#[actix_web::test]
async fn the_link_works_in_another_browser_and_logs_nobody_in() {
    let app = TestApp::spawn();
    let (_, letter) = registered(&app).await;
    let mut phone = app.browser();
    phone.open(&letter.link()).await.is(200);
    phone.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    assert!(!phone.is_in().await);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), 0);
}

#[actix_web::test]
async fn of_twenty_posts_at_once_one_makes_the_user() {
    let app = TestApp::spawn();
    let (browser, letter) = registered(&app).await;
    let token = letter.token();
    let posts = (0..20).map(|_| {
        let (mut browser, token) = (browser.copy(), token.clone());
        async move { browser.post("/verify-email", &[("token", &token)]).await.status }
    });
    let mut statuses = join_all(posts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[303][..], &[422; 19]].concat());
    assert_eq!((users(&app), app.events("registered")), (1, 1));
}

#[actix_web::test]
async fn used_expired_and_made_up_links_are_dead() {
    let app = TestApp::spawn();
    let (mut browser, letter) = registered(&app).await;
    app.db.execute("UPDATE registrations SET expires_at = now() - interval '1 second'");
    let token = letter.token();
    browser.post("/verify-email", &[("token", &token)]).await.is(422).says("used up or too old");
    app.db.execute("UPDATE registrations SET expires_at = now() + interval '1 minute'");
    for made_up in ["", "x", &"A".repeat(43), &format!("{token}A"), &token[..42], &token.to_uppercase()] {
        browser.post("/verify-email", &[("token", made_up)]).await.is(422).says("This link no longer works");
    }
    assert_eq!(users(&app), 0);
    browser.post("/verify-email", &[("token", &token)]).await.is(303);
    browser.post("/verify-email", &[("token", &token)]).await.is(422).says("This link no longer works");
    assert_eq!(users(&app), 1);
}

#[actix_web::test]
async fn an_address_taken_meanwhile_makes_nobody() {
    let app = TestApp::spawn();
    let (mut browser, letter) = registered(&app).await;
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET email = 'alan@example.org', email_key = 'alan@example.org'");
    browser.post("/verify-email", &[("token", &letter.token())]).await.is(422);
    assert_eq!(users(&app), 1);
    browser.log_in("alan@example.org", GOOD).await.is(422);
    browser.log_in("alan@example.org", ada.password).await.is(303);
}
