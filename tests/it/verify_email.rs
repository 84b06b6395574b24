//! Verifying an address with the mailed link.

use futures_util::future::join_all;
use latchkey::config::RegistrationMode;

use crate::support::app::{Letter, TestApp};
use crate::support::browser::Browser;
use crate::support::subjects;

const GOOD: &str = "gravel tuba otter lemon";

async fn registered(app: &TestApp) -> (Browser, Letter) {
    let mut browser = app.browser();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD)];
    browser.fill_in("/register", &fields).await.is(303);
    let letter = app.letter("alan@example.org", subjects::VERIFY_EMAIL).await;
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
        browser.open(&letter.link()).await.is(200).is_page("verify_email");
        let head = browser.request(reqwest::Method::HEAD, &letter.link());
        browser.send(head).await.is(303);
    }
    assert_eq!(users(&app), 0);
    browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    assert_eq!((users(&app), app.events("registered")), (1, 1));
}

#[actix_web::test]
async fn in_another_browser_the_link_asks_for_the_password_and_opens_no_session() {
    let app = TestApp::spawn();
    let (_, letter) = registered(&app).await;
    let token = letter.token();
    let mut phone = app.browser();
    let page = phone.open(&letter.link()).await;
    assert_eq!(page.is(200).count("input[name=password][required]"), 1);
    // Without a password the page asks for it.
    for fields in [&[("token", token.as_str())][..], &[("token", &token), ("password", "")]] {
        phone.post("/verify-email", fields).await.redirects_to("/verify-email");
        let page = phone.get("/verify-email").await;
        page.is(200).has_flash("registration-password");
        assert_eq!(page.count("input[name=password][required]"), 1);
    }
    let fields = [("token", token.as_str()), ("password", "hinge meadow oyster drum")];
    let refused = phone.post("/verify-email", &fields).await;
    refused.is(422).is_refused("wrong-password");
    assert_eq!(refused.count("#password-error"), 1);
    // The link still works, and the form can be sent again.
    assert_eq!(refused.attribute("input[name=token]", "value").as_deref(), Some(token.as_str()));
    let shown = phone.post("/verify-email", &[("token", &token), ("password", GOOD), ("show", "1")]).await;
    assert_eq!(shown.is(200).attribute("#password", "value").as_deref(), Some(GOOD));
    assert_eq!(users(&app), 0);
    phone.post("/verify-email", &[("token", &token), ("password", GOOD)]).await.redirects_to("/login");
    assert!(!phone.is_in().await);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), 0);
    phone.log_in("alan@example.org", GOOD).await.redirects_to("/home");
}

#[actix_web::test]
async fn the_browser_that_registered_needs_a_button_and_its_cookie_is_good_for_that_registration_alone() {
    let app = TestApp::spawn();
    let (mut browser, letter) = registered(&app).await;
    let page = browser.open(&letter.link()).await;
    assert_eq!((page.is(200).count("#password"), page.count("button[name=discard]")), (0, 0));
    let mut other = app.browser();
    let fields = [("name", "Eve"), ("email", "eve@example.org"), ("password", GOOD)];
    other.fill_in("/register", &fields).await.is(303);
    assert!(other.cookies.contains_key("latchkey-registration"));
    assert_eq!(other.open(&letter.link()).await.count("#password"), 1);
    other.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/verify-email");
    // The stored hash of the cookie is not accepted as the cookie; a row of an older version has no hash.
    let kept: String = app.db.scalar("SELECT encode(browser, 'hex') FROM registrations LIMIT 1");
    assert!(!browser.cookies["latchkey-registration"].contains(&kept));
    app.db.execute("UPDATE registrations SET browser = NULL");
    assert_eq!(browser.open(&letter.link()).await.count("#password"), 1);
    browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/verify-email");
    assert_eq!(users(&app), 0);
    let token = letter.token();
    let fields = [("token", token.as_str()), ("password", GOOD)];
    browser.post("/verify-email", &fields).await.redirects_to("/login");
    assert!(!browser.cookies.contains_key("latchkey-registration"));
}

#[actix_web::test]
async fn the_registration_cookie_lives_as_long_as_the_link_and_is_set_even_for_a_taken_address() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for email in ["alan@example.org", ada.email] {
        let fields = [("name", "Alan"), ("email", email), ("password", GOOD)];
        let answer = app.browser().fill_in("/register", &fields).await;
        let cookie = answer.cookie("latchkey-registration").unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=86400"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
    }
    app.browser().fill_in("/register", &[]).await.is(422);
}

#[actix_web::test]
async fn a_stranger_who_registers_an_address_never_shares_an_account_with_its_owner() {
    let app = TestApp::spawn();
    let (mut stranger, letter) = registered(&app).await;
    let mut owner = app.browser();
    owner.open(&letter.link()).await.has_notice("asks-password");
    let token = letter.token();
    let fields = [("token", token.as_str()), ("discard", "1")];
    owner.post("/verify-email", &fields).await.redirects_to("/register");
    owner.get("/register").await.has_flash("registration-dropped");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
    owner.post("/verify-email", &fields).await.is(422).is_refused("dead-link");
    stranger.post("/verify-email", &[("token", &letter.token())]).await.is(422);
    app.browser().open(&letter.link()).await.is(410);
    // The owner logs in with their own password; the stranger's password opens no session.
    let own = "hinge meadow oyster drum";
    app.db.execute("DELETE FROM outbox");
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", own)];
    owner.fill_in("/register", &fields).await.is(303);
    let letter = app.letter("alan@example.org", subjects::VERIFY_EMAIL).await;
    owner.open(&letter.link()).await.is(200);
    owner.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    stranger.log_in("alan@example.org", GOOD).await.is(422);
    owner.log_in("alan@example.org", own).await.redirects_to("/home");
}

#[actix_web::test]
async fn an_invited_registration_that_a_stranger_began_is_dropped_and_the_invitation_still_works() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let invitation = app.letter("alan@example.org", subjects::INVITATION).await;
    let register = async |browser: &mut Browser, password: &str| {
        let page = browser.open(&invitation.link()).await;
        let invite = page.attribute("input[name=invite]", "value").unwrap();
        let fields =
            [("name", "Alan"), ("email", "alan@example.org"), ("password", password), ("invite", &invite)];
        browser.post("/register", &fields).await.redirects_to("/register/check-email");
        app.letter("alan@example.org", subjects::VERIFY_EMAIL).await
    };
    let letter = register(&mut app.browser(), GOOD).await;
    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200);
    owner.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/verify-email");
    let token = letter.token();
    let fields = [("token", token.as_str()), ("discard", "1")];
    owner.post("/verify-email", &fields).await.redirects_to("/register");
    owner.get("/register").await.has_flash("invited-registration-dropped");
    app.db.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'");
    let letter = register(&mut owner, "hinge meadow oyster drum").await;
    owner.open(&letter.link()).await.is(200);
    owner.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    owner.log_in("alan@example.org", GOOD).await.is(422);
    owner.log_in("alan@example.org", "hinge meadow oyster drum").await.redirects_to("/home");
}

#[actix_web::test]
async fn guesses_at_the_password_of_a_registration_are_throttled_by_registration() {
    let app = TestApp::spawn();
    let (mut own, letter) = registered(&app).await;
    let mut guesser = app.browser();
    guesser.open(&letter.link()).await.is(200);
    let token = letter.token();
    let post = async |browser: &mut Browser, password: &str| {
        browser.post("/verify-email", &[("token", token.as_str()), ("password", password)]).await
    };
    for _ in 0..10 {
        post(&mut guesser, "hinge meadow oyster drum").await.is(422);
    }
    let refused = post(&mut guesser, GOOD).await;
    refused.is(429).is_refused("too-many");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(users(&app), 0);
    // Another registration is not affected, nor is the browser that began this one.
    let fields = [("name", "Eve"), ("email", "eve@example.org"), ("password", GOOD)];
    app.browser().fill_in("/register", &fields).await.is(303);
    let other = app.letter("eve@example.org", subjects::VERIFY_EMAIL).await;
    let token = other.token();
    let fields = [("token", token.as_str()), ("password", GOOD)];
    guesser.post("/verify-email", &fields).await.redirects_to("/login");
    own.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    assert_eq!(users(&app), 2);
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
    browser.post("/verify-email", &[("token", &token)]).await.is(422).is_refused("dead-link");
    app.db.execute("UPDATE registrations SET expires_at = now() + interval '1 minute'");
    for made_up in ["", "x", &"A".repeat(43), &format!("{token}A"), &token[..42], &token.to_uppercase()] {
        browser.post("/verify-email", &[("token", made_up)]).await.is(422).is_refused("dead-link");
    }
    assert_eq!(users(&app), 0);
    browser.post("/verify-email", &[("token", &token)]).await.is(303);
    browser.post("/verify-email", &[("token", &token)]).await.is(422).is_refused("dead-link");
    assert_eq!(users(&app), 1);
}

#[actix_web::test]
async fn an_address_registered_meanwhile_creates_no_second_user() {
    let app = TestApp::spawn();
    let (mut browser, letter) = registered(&app).await;
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET email = 'alan@example.org', email_key = 'alan@example.org'");
    browser.post("/verify-email", &[("token", &letter.token())]).await.is(422);
    assert_eq!(users(&app), 1);
    browser.log_in("alan@example.org", GOOD).await.is(422);
    browser.log_in("alan@example.org", ada.password).await.is(303);
}
