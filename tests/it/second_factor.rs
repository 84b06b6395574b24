//! Pending log-ins: the password was accepted and the second factor is missing.

use futures_util::future::join_all;

use crate::support::app::TestApp;
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::subjects;

#[actix_web::test]
async fn the_password_alone_opens_no_session_and_the_code_opens_one_with_another_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    app.db.execute("DELETE FROM sessions");
    let mut browser = app.browser();
    browser.get("/account/activity").await.redirects_to("/login?next=/account/activity");
    browser.get("/login?next=/account/activity").await;
    let fields = [("email", ada.email), ("password", ada.password), ("next", "/account/activity")];
    browser.post("/login", &fields).await.redirects_to("/login/second-factor?next=/account/activity");
    assert_eq!(app.live_sessions(&ada), 0);
    assert!(!browser.is_in().await);
    let mut thief = browser.copy();
    let pending = browser.key();
    let page = browser.get("/login/second-factor?next=/account/activity").await;
    assert_eq!(page.is(200).attribute("input[name=next]", "value").unwrap(), "/account/activity");
    let code = app.fresh_code(&authenticator);
    let fields = [("code", code.as_str()), ("next", "/account/activity")];
    browser.post("/login/second-factor", &fields).await.redirects_to("/account/activity");
    assert!(browser.is_in().await);
    assert_ne!(browser.key(), pending);
    assert!(!thief.is_in().await);
    thief.get("/login/second-factor").await.redirects_to("/login");
    assert_eq!(app.db.scalar::<String>("SELECT factor FROM sessions"), "password+totp");
    browser.get("/account/sessions").await.says("a password and an authenticator app");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM pending_logins"), 0);
    assert_eq!((app.events("password-accepted"), app.events("logged-in")), (1, 2));
}

#[actix_web::test]
async fn keep_me_logged_in_survives_the_second_step() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let mut browser = app.browser();
    let fields = [("email", ada.email), ("password", ada.password), ("remember", "1")];
    let answer = browser.fill_in("/login", &fields).await;
    assert!(!answer.cookie("latchkey").unwrap().contains("Max-Age"));
    browser.get("/login/second-factor").await;
    let code = app.fresh_code(&authenticator);
    let answer = browser.post("/login/second-factor", &[("code", &code)]).await;
    assert!(answer.redirects_to("/home").cookie("latchkey").unwrap().contains("Max-Age"));
}

#[actix_web::test]
async fn a_cancelled_or_expired_pending_login_starts_over() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let code = app.fresh_code(&authenticator);

    let mut browser = app.pending(&ada).await;
    let mut copy = browser.copy();
    browser.post("/logout", &[]).await.redirects_to("/login");
    assert!(!browser.cookies.contains_key("latchkey"));
    copy.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/login");

    let mut browser = app.pending(&ada).await;
    let left: i64 =
        app.db.scalar("SELECT extract(epoch FROM expires_at - now())::bigint FROM pending_logins");
    assert!((590..=600).contains(&left), "{left}");
    app.db.execute("UPDATE pending_logins SET expires_at = now()");
    browser
        .post("/login/second-factor?next=/account", &[("code", &code)])
        .await
        .redirects_to("/login?next=/account");
    browser.get("/login/second-factor").await.redirects_to("/login");
    assert!(!browser.is_in().await);
}

#[actix_web::test]
async fn a_new_password_and_a_disabling_end_what_waits() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let (authenticator, _) = app.enrol(&mut owner).await;
    let mut browser = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    let new = "analytical engines weave patterns";
    let fields = [("current_password", ada.password), ("password", new)];
    owner.fill_in("/account/password", &fields).await.redirects_to("/account/password");
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/login");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM pending_logins"), 0);

    let mut browser = app.browser();
    browser.log_in(ada.email, new).await.redirects_to("/login/second-factor");
    browser.get("/login/second-factor").await;
    app.db.execute("UPDATE users SET disabled_at = now()");
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/login");
    assert!(!browser.is_in().await);
}

#[actix_web::test]
async fn removing_the_factor_during_a_pending_login_opens_no_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let (authenticator, codes) = app.enrol(&mut owner).await;
    let mut browser = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    owner.get("/account/security").await;
    owner.post("/account/totp/remove", &[]).await.redirects_to("/account/security");
    for code in [&code, &codes[0], "", "x"] {
        browser.post("/login/second-factor", &[("code", code)]).await.redirects_to("/login");
    }
    assert!(!browser.is_in().await);
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn one_waiting_log_in_submitted_ten_times_at_once_opens_one_session() {
    let app = TestApp::spawn_wide(10);
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    app.db.execute("DELETE FROM sessions");
    let browser = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    let mut copies: Vec<_> = (0..10).map(|_| browser.copy()).collect();
    let fields = [("code", code.as_str())];
    let posts = join_all(copies.iter_mut().map(|copy| copy.post("/login/second-factor", &fields)));
    let answers = app.all_at_once(&ada, 10, posts).await;
    let homes = answers.iter().filter(|answer| answer.is_sent_to("/home")).count();
    assert_eq!((homes, app.live_sessions(&ada)), (1, 1));
    assert_eq!(app.db.scalar::<i64>("SELECT failures::bigint FROM totp"), 0);
}

#[actix_web::test]
async fn logging_in_again_ends_the_session_until_the_second_step() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.enrol(&mut app.logged_in(&ada).await).await;
    let mut browser = app.logged_in(&grace).await;
    browser.get("/home").await;
    let fields = [("email", ada.email), ("password", ada.password)];
    browser.post("/login", &fields).await.redirects_to("/login/second-factor");
    assert!(!browser.is_in().await);
    assert_eq!(app.live_sessions(&grace), 0);
    browser.get("/login/second-factor").await.is(200);
}

#[actix_web::test]
async fn a_confirmation_asks_for_the_password_and_a_code() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    assert_eq!(browser.get("/confirm").await.count("#code"), 0);
    let (authenticator, recovery) = app.enrol(&mut browser).await;
    app.age_confirmations();
    assert_eq!(browser.get("/confirm").await.count("#code"), 1);
    let code = app.fresh_code(&authenticator);
    browser.post("/confirm", &[("password", ada.password)]).await.is(422);
    browser.post("/confirm", &[("password", "not it at all"), ("code", &code)]).await.is(422);
    let wrong = authenticator.wrong_code(&app);
    let answer = browser.post("/confirm", &[("password", ada.password), ("code", &wrong)]).await;
    answer.is(422).does_not_say(&wrong);
    browser.get("/account/security").await.redirects_to("/confirm?next=/account/security");
    let key = browser.key();
    let fields = [("password", ada.password), ("code", &code), ("next", "/account/security")];
    browser.fill_in("/confirm", &fields).await.redirects_to("/account/security");
    assert_ne!(browser.key(), key);
    app.age_confirmations();
    // The same code once more, then the recovery codes that replace the app.
    browser.fill_in("/confirm", &fields).await.is(422);
    let fields = [("password", ada.password), ("code", &recovery[0])];
    browser.fill_in("/confirm", &fields).await.redirects_to("/home");
    browser.get("/account/security").await.is(200);
}

#[actix_web::test]
async fn a_reset_password_keeps_the_second_factor() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.enrol(&mut app.logged_in(&ada).await).await;
    let mut browser = app.browser();
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let link = app.letter(ada.email, subjects::RESET_PASSWORD).await.link();
    browser.get(&link).await;
    let token = app.letter(ada.email, subjects::RESET_PASSWORD).await.token();
    let new = "analytical engines weave patterns";
    browser.post("/reset-password", &[("token", &token), ("password", new)]).await.is(303);
    browser.log_in(ada.email, new).await.redirects_to("/login/second-factor");
}

#[actix_web::test]
async fn of_many_waiting_log_ins_the_ten_newest_are_kept() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    app.enrol(&mut app.logged_in(&grace).await).await;
    app.pending(&grace).await;
    let mut browsers = Vec::new();
    for _ in 0..12 {
        browsers.push(app.pending(&ada).await);
    }
    let waiting =
        |id| app.db.scalar::<i64>(&format!("SELECT count(*) FROM pending_logins WHERE user_id = '{id}'"));
    assert_eq!((waiting(ada.id), waiting(grace.id)), (10, 1));
    browsers[1].get("/login/second-factor").await.redirects_to("/login");
    let code = app.fresh_code(&authenticator);
    browsers[2].post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn after_a_change_of_factor_the_page_offers_to_end_the_other_sessions() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let button = "form[action='/account/sessions/revoke-others'] button";
    assert_eq!(browser.get("/account/security").await.count(button), 0);
    let mut other = app.logged_in(&ada).await;
    let shown = browser.post("/account/totp/start", &[]).await;
    let key = shown.is(200).text("#key .code").unwrap();
    let code = AuthenticatorApp::with_key(&key).code(app.step());
    let added = browser.post("/account/totp/finish", &[("code", &code)]).await;
    assert_eq!(added.is(200).count(".body a[href='/account/sessions']"), 1);
    assert_eq!(browser.get("/account/security").await.count(button), 1);
    browser.post("/account/totp/remove", &[]).await.redirects_to("/account/security");
    let page = browser.get("/account/security").await;
    assert_eq!((page.count(button), page.count("section a[href='/account/sessions']")), (1, 1));
    assert!(other.is_in().await);
    browser.post("/account/sessions/revoke-others", &[]).await.redirects_to("/account/sessions");
    assert!(!other.is_in().await && browser.is_in().await);
}

#[actix_web::test]
async fn a_confirmation_is_remembered_with_what_it_was_proven_with() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(303);
    let (authenticator, recovery) = app.enrol(&mut browser).await;
    let code = app.fresh_code(&authenticator);
    for code in [&code, &recovery[0]] {
        browser.fill_in("/confirm", &[("password", ada.password), ("code", code)]).await.is(303);
    }
    let page = browser.get("/account/activity").await;
    page.has_event("confirmed").says("a password and a recovery code");
    page.says("a password and an authenticator app");
    let plain: i64 =
        app.db.scalar("SELECT count(*) FROM audit_events WHERE act = 'confirmed' AND detail = ''");
    assert_eq!((plain, app.events("confirmed")), (1, 3));
}
