//! Logging out.

use crate::support::app::TestApp;
use crate::support::browser::Answer;

#[track_caller]
fn leaves_nothing_behind(answer: &Answer) {
    answer.redirects_to("/login");
    let cookie = answer.cookie("latchkey").expect("a removal");
    assert!(
        cookie.starts_with("latchkey=;") && cookie.contains("Max-Age=0") && cookie.contains("Path=/"),
        "{cookie}"
    );
    let cleared = answer.header("clear-site-data").expect("Clear-Site-Data");
    // Nothing that may be cached belongs to the user, and Chrome would take seconds to search its cache.
    assert_eq!(cleared, "\"storage\"");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn logging_out_ends_the_session_for_every_copy_of_its_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let mut thief = browser.copy();
    leaves_nothing_behind(&browser.post("/logout", &[]).await);
    assert!(!browser.cookies.contains_key("latchkey"));
    browser.get("/login").await.is(200).has_flash("logged-out");
    browser.get("/login").await.is(200).has_no_flash();
    assert!(!browser.is_in().await && !thief.is_in().await);
    assert!(other.is_in().await);
    assert_eq!(app.events("logged-out"), 1);
}

#[actix_web::test]
async fn a_log_out_waits_once_until_no_instance_serves_the_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let waits = &app.accounts.sessions().counts().invalidations;
    let before = waits.count();
    leaves_nothing_behind(&browser.post("/logout", &[]).await);
    assert_eq!(waits.count(), before + 1);
}

#[actix_web::test]
async fn a_log_out_without_the_token_does_nothing() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.post_bare("/logout", &[]).await.is(403);
    browser.get("/logout").await.is(405);
    assert!(browser.is_in().await);
}

#[actix_web::test]
async fn a_dead_session_logs_out_all_the_same() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    app.db.execute("UPDATE sessions SET revoked_at = now()");
    leaves_nothing_behind(&browser.post("/logout", &[]).await);
    assert!(!browser.cookies.contains_key("latchkey"));
    assert_eq!(app.events("logged-out"), 0);
}

#[actix_web::test]
async fn a_foreign_cookie_or_none_logs_out_as_well() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    leaves_nothing_behind(&browser.post_bare("/logout", &[]).await);
    for cookie in ["x", &"A".repeat(87), &format!("{}%3D{}", "A".repeat(43), "B".repeat(43)), "a=b=c", "\"\""]
    {
        browser.cookies.insert("latchkey".into(), cookie.to_owned());
        leaves_nothing_behind(&browser.post_bare("/logout", &[]).await);
        assert!(!browser.cookies.contains_key("latchkey"));
    }
}

#[actix_web::test]
async fn pressing_log_out_twice_is_fine() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let mut other_tab = browser.copy();
    leaves_nothing_behind(&browser.post("/logout", &[]).await);
    leaves_nothing_behind(&other_tab.post("/logout", &[]).await);
    assert_eq!(app.events("logged-out"), 1);
}

#[actix_web::test]
async fn every_signed_in_page_has_the_way_out() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    let person = format!("/admin/users/{}", grace.id);
    for path in [
        "/home",
        "/account",
        "/account/sessions",
        "/account/tokens",
        "/account/activity",
        "/account/password",
        "/confirm",
        "/admin",
        "/admin/users",
        &person,
        "/admin/sessions",
        "/admin/audit",
        "/admin/invitations",
        "/nothing-here",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.count(r#"form[method=post][action="/logout"] button"#), 1, "{path}");
    }
}

#[actix_web::test]
async fn a_browser_whose_session_ended_without_it_is_told_how_on_the_log_in_page() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut revoked = app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    other.get("/account/sessions").await.is(200);
    other.post("/account/sessions/revoke-others", &[]).await.is(303);
    revoked.get("/home").await.redirects_to("/login");
    revoked.get("/login").await.is(200).has_notice("session-revoked");
    // Its form gets the answer that nothing was done.
    revoked.post("/account/profile", &[("name", "Eve")]).await.redirects_to("/login");
    revoked.get("/login").await.has_flash("not-sent").has_notice("session-revoked");
    revoked.log_in(ada.email, ada.password).await.redirects_to("/home");

    app.db.execute("UPDATE sessions SET expires_at = now() - interval '1 second'");
    app.accounts.sessions().wait_until_invalidated().await;
    other.get("/home").await.redirects_to("/login");
    other.get("/login").await.has_notice("session-expired").has_no_notice("session-revoked");

    // A visitor who logged out, had no session, or sends a key that never existed sees no message.
    let mut out = app.logged_in(&ada).await;
    out.get("/home").await.is(200);
    out.post("/logout", &[]).await.is(303);
    let mut forged = app.browser();
    forged.cookies.insert("latchkey".into(), "A".repeat(87));
    for browser in [&mut out, &mut forged, &mut app.browser()] {
        let page = browser.get("/login").await;
        assert_eq!(page.is(200).codes("data-notice"), Vec::<String>::new());
    }
}
