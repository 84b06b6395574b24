//! What the front door does while the database is down, and how little it writes otherwise.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey::apps::{Access, Rule};
use latchkey::config::Span;

use crate::front::support::{User, navigation, register, script, wiki};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::eventually;
use crate::support::upstream::{OK, Upstream};

#[actix_web::test]
async fn while_the_database_is_away_no_request_is_passed_on_not_even_by_an_open_rule() {
    let app = TestApp::spawn_with(|settings| settings.pool.checkout_wait = Span::seconds(1));
    let wiki = wiki(&app).await;
    let open = register(&app, "open", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(Access::Open)];
    })
    .await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let mut visitor = Browser::new(&open.origin);
    visitor.get("/").await.is(200);
    app.db.cut_off();
    eventually("the lease ends", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    wiki.upstream.forget();
    open.upstream.forget();
    for headers in [navigation(), script()] {
        user.at_app.headers = headers;
        let answer = user.at_app.get("/").await;
        answer.is(503).is_error("unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    visitor.get("/").await.is(503);
    assert!(wiki.upstream.received().is_empty() && open.upstream.received().is_empty());
    // A probe has the address of the instance for its host, and waits for no database.
    let port = app.origin.rsplit(':').next().expect("a port");
    let waiting = (0..50).map(|_| {
        let mut visitor = Browser::new(&open.origin);
        async move { visitor.get("/").await.status }
    });
    let waiting = actix_web::rt::spawn(join_all(waiting));
    let mut probe = Browser::new(&format!("http://127.0.0.1:{port}"));
    probe.get("/healthz").await.is(200);
    assert!(!waiting.is_finished(), "the probe waited for requests that need the database");
    // All that wait share one attempt, or the next one.
    let begun = std::time::Instant::now();
    assert!(waiting.await.expect("an end").into_iter().all(|status| status == 503));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    app.db.restore();
    eventually("she is back in", async || (user.at_app.get("/").await.status == 200).then_some(())).await;
}

#[actix_web::test]
async fn an_instance_without_a_listener_passes_nothing_on() {
    let app = TestApp::spawn_with(|settings| settings.sessions.cached = 0);
    let wiki = wiki(&app).await;
    Browser::new(&wiki.origin).get("/").await.is(503).is_error("unavailable");
    app.browser().get("/login").await.is(200);
}

#[actix_web::test]
async fn without_a_cache_requests_for_unknown_names_do_not_read_the_apps_each() {
    let app = TestApp::spawn_with(|settings| settings.sessions.cached = 0);
    wiki(&app).await;
    let port = app.origin.rsplit(':').next().expect("a port");
    let mut stranger = Browser::new(&format!("http://unknown.localhost:{port}"));
    let mut other = app.db.connect();
    eventually("an answer without the table", async || {
        stranger.get("/").await.is(421);
        other.batch_execute("BEGIN; LOCK TABLE apps IN ACCESS EXCLUSIVE MODE").unwrap();
        let answered = actix_web::rt::time::timeout(Duration::from_millis(300), stranger.get("/")).await;
        other.batch_execute("ROLLBACK").unwrap();
        answered.ok().map(|answer| {
            answer.is(421);
        })
    })
    .await;
    let _added = register(&app, "unknown", Upstream::answering(OK), |_| {}).await;
    eventually("the new app", async || (stranger.get("/").await.status == 503).then_some(())).await;
}

#[actix_web::test]
async fn requests_of_one_session_write_nothing_and_ask_the_database_nothing() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let user = User::inside(&app, &wiki, &ada).await;
    let (before, misses) = (app.dump(), app.accounts.sessions().counts().misses.get());
    for _ in 0..4 {
        let requests = (0..64).map(|_| {
            let mut browser = user.at_app.copy();
            async move { browser.get("/").await.status }
        });
        assert!(join_all(requests).await.into_iter().all(|status| status == 200));
    }
    assert_eq!(app.accounts.sessions().counts().misses.get(), misses);
    assert_eq!(app.dump(), before);
}

#[actix_web::test]
async fn ten_requests_after_the_session_has_expired_land_the_user_in_the_app_again() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    app.db.execute("UPDATE sessions SET expires_at = now() - interval '1 second'");
    app.accounts.sessions().wait_until_invalidated().await;
    let requests = (0..9).map(|_| {
        let mut other = user.at_app.copy();
        other.headers = script();
        async move { other.get("/api").await.status }
    });
    assert!(join_all(requests).await.into_iter().all(|status| status == 401));
    user.portal = app.logged_in(&ada).await;
    user.enter("/the/page").await.is(200);
    assert_eq!(wiki.upstream.received().pop().expect("a request").target(), "/the/page");
}
