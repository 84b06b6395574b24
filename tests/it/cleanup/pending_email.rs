//! A pending change of the email address: what the owner is told, and what cancels the change.

use crate::cleanup::scene::{link_to, press};
use crate::support::app::{Letter, Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::subjects;

const NEW: &str = "countess@example.org";

async fn ask(browser: &mut Browser, email: &str) -> Answer {
    browser.fill_in("/account/email", &[("email", email)]).await
}

/// Ada has requested the new address in this browser. Returns the email to it.
async fn asked(app: &TestApp, ada: &Person) -> (Browser, Letter) {
    let mut browser = app.logged_in(ada).await;
    ask(&mut browser, NEW).await.redirects_to("/account/email");
    (browser, link_to(app, NEW, "/confirm-email").await)
}

#[actix_web::test]
async fn the_old_address_is_told_and_its_letter_cancels_the_change_and_secures_the_account() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut thief, confirm) = asked(&app, &ada).await;
    let letter = app.letter(ada.email, subjects::EMAIL_CHANGE_ASKED).await;
    assert!(letter.text.contains("c…@example.org") && !letter.text.contains(NEW), "{}", letter.text);
    assert!(letter.text.contains("works for 7 days"), "{}", letter.text);
    app.browser().open(&letter.link()).await.is(200).is_page("mailed_link");
    press(&app, &letter).await.redirects_to("/login");
    assert!(!thief.is_in().await);
    press(&app, &confirm).await.is(422).is_refused("dead-link");
    thief.log_in(ada.email, ada.password).await.is(422);
    link_to(&app, ada.email, "/reset-password").await;
    assert_eq!(
        ["session-disowned", "reset-requested", "email-change-cancelled", "email-changed"]
            .map(|act| app.events(act)),
        [1, 1, 1, 0]
    );
}

#[actix_web::test]
async fn the_link_dies_however_the_session_that_asked_is_ended_and_not_with_time_alone() {
    let app = TestApp::spawn_with(|settings| settings.throttle.mails_per_hour = 1000);
    let ada = app.ada().await;
    let mut other = app.logged_in(&ada).await;
    other.get("/account").await.is(200);
    let handle =
        "SELECT handle::text FROM sessions WHERE revoked_at IS NULL ORDER BY created_at DESC LIMIT 1";
    for how in ["logged out", "ended", "ended without a clean-up"] {
        let (mut asker, confirm) = asked(&app, &ada).await;
        let handle: String = app.db.scalar(handle);
        let answer = match how {
            "logged out" => asker.post("/logout", &[]).await,
            "ended" => other.post(&format!("/account/sessions/{handle}/revoke"), &[]).await,
            _ => {
                app.db.execute(&format!("UPDATE sessions SET revoked_at = now() WHERE handle = '{handle}'"));
                asker.get("/home").await
            }
        };
        answer.is(303);
        app.browser().open(&confirm.link()).await.is(410).is_refused("dead-link");
        press(&app, &confirm).await.is(422).is_refused("dead-link");
        app.db.execute("DELETE FROM account_links; DELETE FROM outbox");
    }
    // A link without a recorded session is not trusted.
    let (_, confirm) = asked(&app, &ada).await;
    app.db.execute("UPDATE account_links SET session = NULL");
    press(&app, &confirm).await.is(422);
    let (_, confirm) = asked(&app, &ada).await;
    app.db.execute("UPDATE sessions SET expires_at = now()");
    press(&app, &confirm).await.redirects_to("/login");
}

#[actix_web::test]
async fn the_account_pages_show_it_and_cancel_it_and_send_the_link_again() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut browser, first) = asked(&app, &ada).await;
    for page in ["/account", "/account/email"] {
        browser.get(page).await.is(200).has_notice("email-pending").says(NEW).says("just now");
    }
    app.db.execute("UPDATE account_links SET since = since - interval '3 hours', created_at = created_at - interval '3 hours'");
    browser.post("/account/email/resend", &[]).await.redirects_to("/account/email");
    browser.get("/account/email").await.has_flash("email-sent-again").says("3 hours ago");
    let second = link_to(&app, NEW, "/confirm-email").await;
    assert_ne!(first.token(), second.token());
    press(&app, &first).await.is(422);
    // An hour later the session has to be confirmed to send an email, but not to cancel.
    app.age_confirmations();
    assert!(browser.post("/account/email/resend", &[]).await.is_sent_to("/confirm"));
    browser.get("/account").await.is(200);
    browser.post("/account/email/cancel", &[]).await.redirects_to("/account");
    browser.get("/account").await.has_flash("email-cancelled").has_no_notice("email-pending");
    press(&app, &second).await.is(422);
    browser.post("/account/email/cancel", &[]).await.redirects_to("/account");
    browser.get("/account").await.has_flash("no-email-pending");
    assert_eq!(app.events("email-change-cancelled"), 1);
    let mut fresh = app.logged_in(&ada).await;
    fresh.get("/account").await.is(200);
    fresh.post("/account/email/resend", &[]).await.redirects_to("/account/email");
    fresh.get("/account/email").await.has_flash("no-email-pending");
}

#[actix_web::test]
async fn the_page_does_not_tell_whether_the_new_address_is_taken() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut seen = Vec::new();
    for email in [NEW, grace.email] {
        ask(&mut browser, email).await.redirects_to("/account/email");
        browser.get("/account/email").await.is(200);
        let page = browser.get("/account").await;
        let card = page.says(email).text("section.card").expect("a card").replace(email, "…");
        browser.post("/account/email/resend", &[]).await.redirects_to("/account/email");
        browser.get("/account/email").await.has_flash("email-sent-again");
        seen.push((card, app.count_letters(subjects::EMAIL_CHANGE_ASKED).await));
    }
    assert_eq!((&seen[0].0, seen[0].1), (&seen[1].0, 1));
    assert_eq!(seen[1].1, 2);
}

#[actix_web::test]
async fn undoing_the_change_removes_everything_added_since_the_request() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut thief, confirm) = asked(&app, &ada).await;
    app.enrol(&mut thief).await;
    press(&app, &confirm).await.redirects_to("/login");
    press(&app, &link_to(&app, ada.email, "/undo-email").await).await.redirects_to("/login");
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM totp")
            + app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"),
        0
    );
    let reset = link_to(&app, ada.email, "/reset-password").await;
    let (token, password) = (reset.token(), "hinge meadow oyster drum");
    let mut owner = app.browser();
    owner.fill_in(&reset.link(), &[("token", &token), ("password", password)]).await.redirects_to("/login");
    owner.log_in(ada.email, password).await.redirects_to("/home");
    assert_eq!(app.events("factor-disowned"), 1);
}

#[actix_web::test]
async fn a_thief_who_takes_back_a_second_change_does_not_take_the_owners_way_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut thief, confirm) = asked(&app, &ada).await;
    press(&app, &confirm).await.redirects_to("/login");
    let owners = link_to(&app, ada.email, "/undo-email").await;
    ask(&mut thief, "further@example.org").await.redirects_to("/account/email");
    press(&app, &link_to(&app, "further@example.org", "/confirm-email").await).await.redirects_to("/login");
    press(&app, &link_to(&app, NEW, "/undo-email").await).await.redirects_to("/login");
    press(&app, &owners).await.redirects_to("/login");
    assert_eq!(app.db.scalar::<String>("SELECT email FROM users"), ada.email);
}

#[actix_web::test]
async fn the_owners_own_factors_stay_when_a_change_is_taken_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut own = app.logged_in(&ada).await;
    app.enrol(&mut own).await;
    ask(&mut own, NEW).await.redirects_to("/account/email");
    press(&app, &link_to(&app, NEW, "/confirm-email").await).await.redirects_to("/login");
    press(&app, &link_to(&app, ada.email, "/undo-email").await).await.redirects_to("/login");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM totp WHERE active_at IS NOT NULL"), 1);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 10);
    assert_eq!(app.events("factor-disowned"), 0);
}

/// Links that older versions created.
#[actix_web::test]
async fn ending_a_session_whose_browser_is_not_recorded_forgets_every_browser_but_this_one() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut here = app.logged_in(&ada).await;
    app.logged_in(&ada).await;
    app.logged_in(&ada).await;
    let known = "SELECT count(*) FROM known_browsers";
    assert_eq!(app.db.scalar::<i64>(known), 3);
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions ORDER BY created_at DESC LIMIT 1");
    here.get("/account").await.is(200);
    here.post(&format!("/account/sessions/{handle}/revoke"), &[]).await.is(303);
    assert_eq!(app.db.scalar::<i64>(known), 2);
    app.db.execute("UPDATE sessions SET device = NULL");
    let handle: String = app.db.scalar(
        "SELECT handle::text FROM sessions WHERE revoked_at IS NULL ORDER BY created_at DESC LIMIT 1",
    );
    here.post(&format!("/account/sessions/{handle}/revoke"), &[]).await.is(303);
    assert_eq!(app.db.scalar::<i64>(known), 1);
    let before = app.letters().await.len();
    here.get("/account").await.is(200);
    here.post("/logout", &[]).await.is(303);
    here.log_in(ada.email, ada.password).await.redirects_to("/home");
    assert_eq!(app.letters().await.len(), before);
}
