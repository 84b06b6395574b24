//! The activity of a user's own account.

use crate::support::app::TestApp;
use crate::support::process::Latchkey;

#[actix_web::test]
async fn the_activity_page_shows_a_user_only_their_own_events() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    let mut graces = app.logged_in(&grace).await;
    graces.fill_in("/account", &[]).await;
    graces.post("/account/profile", &[("name", "Rear Admiral")]).await.is(303);
    let page = browser.get("/account/activity").await;
    page.is(200).has_event("logged-in").has_event("log-in-refused").says("127.0.0.1").has_pager("2 1/1");
    page.has_no_event("name-changed");
    assert_eq!(page.count("ol.events li"), 2);
    graces.get("/account/activity").await.has_event("name-changed").has_no_event("log-in-refused");
    browser.get(&format!("/account/activity?user={}", grace.id)).await.is(200).has_no_event("name-changed");
}

#[actix_web::test]
async fn a_long_record_comes_in_pages() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, subject, detail) SELECT 'name-changed', '{id}', '{id}', '' FROM generate_series(1, 59)",
        id = ada.id
    ));
    let first = browser.get("/account/activity").await;
    first.is(200).has_pager("60 1/3");
    assert_eq!(first.count("ol.events li"), 25);
    assert_eq!(first.attribute("a[rel=next]", "href").as_deref(), Some("/account/activity?page=2"));
    assert_eq!(first.count("a[rel=prev]"), 0);
    let last = browser.get("/account/activity?page=3").await;
    assert_eq!((last.count("ol.events li"), last.count("a[rel=next]")), (10, 0));
    last.has_event("logged-in");
    assert_eq!(last.attribute("a[rel=prev]", "href").as_deref(), Some("/account/activity?page=2"));
    for odd in ["0", "-1", "4", "99999999999999999999", "x", "", "2.5", "%F0%9F%92%A1", "1e9"] {
        browser.get(&format!("/account/activity?page={odd}")).await.is(200);
    }
}

#[actix_web::test]
async fn each_thing_that_happens_is_recorded_once() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    browser.fill_in("/confirm", &[("password", "not-the-password-at-all")]).await.is(422);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(303);
    let fields = [("current_password", ada.password), ("password", "gravel tuba otter lemon")];
    browser.fill_in("/account/password", &fields).await.is(303);
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let mut admin = app.logged_in(&grace).await;
    let path = format!("/admin/users/{}", ada.id);
    admin.get(&path).await.is(200);
    admin.post(&format!("{path}/role"), &[("role", "admin")]).await.is(303);
    admin.post(&format!("{path}/role"), &[("role", "member")]).await.is(303);
    admin.post(&format!("{path}/role"), &[("role", "member")]).await.is(303);
    browser.get("/home").await;
    browser.post("/logout", &[]).await.is(303);
    for (act, times) in [
        ("logged-in", 2),
        ("confirm-refused", 1),
        ("confirmed", 1),
        ("password-changed", 1),
        ("reset-requested", 1),
        ("role-changed", 2),
        ("logged-out", 1),
    ] {
        assert_eq!(app.events(act), times, "{act}");
    }
}

#[actix_web::test]
async fn a_stranger_who_calls_himself_the_command_line_is_not_shown_as_the_operator() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut stranger = app.browser();
    stranger.headers.push(("user-agent", "latchkey command line".into()));
    stranger.log_in(ada.email, "not-the-password-at-all").await.is(422);
    let (mut adas, mut admin) = (app.logged_in(&ada).await, app.logged_in(&grace).await);
    adas.get("/account/activity").await.says("Unknown device").does_not_say("the operator");
    admin.get("/admin/audit").await.says("Unknown device").does_not_say("the operator");
    Latchkey::on(&app.db.url()).run(&["user", "reset-link", ada.email]).well();
    adas.get("/account/activity").await.has_event("reset-requested").says("the operator");
    admin.get("/admin/audit").await.says("the operator");
}
