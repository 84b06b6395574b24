//! The real program and a server of the tests on one database.

use latchkey::identity::{Client, UserId};
use nix::sys::signal::Signal;

use crate::support::app::TestApp;
use crate::support::process::{Latchkey, eventually};

/// No revocation takes longer, even if an instance is silent.
const BOUND: std::time::Duration = std::time::Duration::from_millis(1200);

async fn trusted(app: &TestApp) {
    eventually("trust", async || app.accounts.sessions().has_lease().then_some(())).await;
}

#[actix_web::test]
async fn a_process_that_stood_still_meanwhile_refuses_the_first_request_it_sees() {
    let app = TestApp::spawn();
    trusted(&app).await;
    let ada = app.ada().await;
    let running = Latchkey::on(&app.db.url()).serve_ready().await;
    for _ in 0..3 {
        let mut browser = running.browser();
        browser.log_in(ada.email, ada.password).await.redirects_to("/home");
        for _ in 0..3 {
            browser.get("/home").await.is(200);
        }
        running.signal(Signal::SIGSTOP);
        let begun = std::time::Instant::now();
        app.accounts.admin.revoke_sessions_of(None, UserId(ada.id), Client::operator()).await.unwrap();
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
        // It is queued before the process continues.
        let home = actix_web::rt::spawn(async move { browser.get("/home").await });
        actix_web::rt::task::yield_now().await;
        running.signal(Signal::SIGCONT);
        home.await.unwrap().redirects_to("/login");
    }
}

#[actix_web::test]
async fn when_the_command_line_says_a_session_is_over_it_is() {
    let app = TestApp::spawn();
    trusted(&app).await;
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    for _ in 0..3 {
        let mut here = app.logged_in(&ada).await;
        let mut there = here.copy_at(&running.origin);
        there.headers.push(("connection", "close".into()));
        for _ in 0..3 {
            here.get("/home").await.is(200);
            there.get("/home").await.is(200);
        }
        let handle: String = app.db.scalar("SELECT handle::text FROM sessions WHERE revoked_at IS NULL");
        let said = latchkey.run(&["session", "revoke", &handle]);
        assert_eq!(said.well().len(), 1);
        here.get("/home").await.redirects_to("/login");
        there.get("/home").await.redirects_to("/login");
    }
}

#[actix_web::test]
async fn at_shutdown_an_instance_flushes_its_touches_and_removes_its_lease() {
    let app = TestApp::spawn();
    trusted(&app).await;
    let ada = app.ada().await;
    let mut running = Latchkey::on(&app.db.url()).serve_ready().await;
    let listeners = async |number: i64| {
        eventually("who listens", async || {
            (app.db.scalar::<i64>("SELECT count(*) FROM listeners") == number).then_some(())
        })
        .await;
    };
    listeners(2).await;
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    app.db.execute("UPDATE sessions SET last_seen_at = last_seen_at - interval '5 minutes'");
    browser.get("/home").await.is(200);
    let late = "SELECT last_seen_at < now() - interval '4 minutes' FROM sessions";
    assert!(app.db.scalar::<bool>(late), "not in the request");
    running.stop(Signal::SIGTERM).await;
    assert!(!app.db.scalar::<bool>(late));
    listeners(1).await;
}

#[actix_web::test]
async fn one_that_was_killed_costs_one_revocation_a_lease_and_no_more() {
    let app = TestApp::spawn();
    trusted(&app).await;
    let ada = app.ada().await;
    let mut running = Latchkey::on(&app.db.url()).serve_ready().await;
    eventually("who listens", async || {
        (app.db.scalar::<i64>("SELECT count(*) FROM listeners") == 2).then_some(())
    })
    .await;
    running.kill().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let begun = std::time::Instant::now();
    app.accounts.admin.revoke_sessions_of(None, UserId(ada.id), Client::operator()).await.unwrap();
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    browser.get("/home").await.redirects_to("/login");
    eventually("its row gone", async || {
        (app.db.scalar::<i64>("SELECT count(*) FROM listeners") == 1).then_some(())
    })
    .await;
}
