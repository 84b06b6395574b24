//! Two live connections: the one behind the session ends with it, on every instance, and the one behind the token goes
//! on.

use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use nix::sys::signal::Signal;

use super::{start_run, step, step_with};
use crate::streams::client::{End, RawClient, text};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};

const SESSION: &str = "/compare/live/session";
const TOKEN: &str = "/compare/live/jwt";

const EVENTS: &str = "accept: text/event-stream\r\n";
const PAGE: &str = "accept: text/html\r\n";

/// An instance that hears of revocations.
async fn listening(app: &TestApp) {
    let sessions = app.accounts.sessions();
    eventually("a lease", async || sessions.has_lease().then_some(())).await;
}

/// A connection with the credentials of `browser`, which has sent its first line.
async fn open(origin: &str, browser: &Browser, path: &str) -> RawClient {
    let client = RawClient::send(origin, browser, &format!("GET {path}"), EVENTS).reading();
    client.answered(200).await;
    eventually("the first line", async || (lines(&client) > 0).then_some(())).await;
    client
}

fn lines(client: &RawClient) -> usize {
    text(&client.bytes()).matches("data: Line ").count()
}

/// Side of each connection and cause of its end, newest first; no cause while it is open.
fn recorded(page: &Answer) -> Vec<(String, String)> {
    page.is(200);
    let sides = page.attributes("tr[data-cause]", "data-side");
    sides.into_iter().zip(page.attributes("tr[data-cause]", "data-cause")).collect()
}

fn record(side: &str, cause: &str) -> (String, String) {
    (side.to_owned(), cause.to_owned())
}

#[actix_web::test]
async fn a_revocation_ends_the_session_s_connection_on_every_instance_and_no_token_s() {
    let app = TestApp::spawn();
    let other = app.beside(|_| {});
    listening(&app).await;
    listening(&other).await;
    let mut browser = start_run(&app).await;
    browser.get("/compare").await.is(200);
    let mut sessions = Vec::new();
    let mut tokens = Vec::new();
    for origin in [&app.origin, &other.origin] {
        sessions.push(open(origin, &browser, SESSION).await);
        tokens.push(open(origin, &browser, TOKEN).await);
    }
    browser.post("/compare/log-out-everywhere", &[]).await.is(303);
    // What was on its way is read, and nothing more is sent.
    sleep(Duration::from_millis(50)).await;
    let sent: Vec<usize> = sessions.iter().map(lines).collect();
    for (session, sent) in sessions.iter().zip(sent) {
        assert_eq!(session.ended().await, End::Reset);
        assert_eq!(lines(session), sent, "a line was sent after the answer");
    }
    for token in &tokens {
        token.goes_on().await;
        token.goes_on().await;
    }
}

#[actix_web::test]
async fn everything_that_ends_the_session_ends_its_connection() {
    let app = TestApp::spawn();
    listening(&app).await;
    for (name, value) in [("log-out", ""), ("log-out-everywhere", ""), ("disable", ""), ("wait", "25-hours")]
    {
        let mut browser = start_run(&app).await;
        let session = open(&app.origin, &browser, SESSION).await;
        step_with(&mut browser, name, value).await;
        assert_eq!(session.ended().await, End::Reset, "{name}");
    }
    let mut browser = start_run(&app).await;
    let session = open(&app.origin, &browser, SESSION).await;
    browser.get("/compare").await.is(200);
    browser.post("/compare/end", &[]).await.redirects_to("/compare");
    assert_eq!(session.ended().await, End::Reset, "the end of the run");
}

#[actix_web::test]
async fn other_steps_leave_the_session_s_connection_open() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    let session = open(&app.origin, &browser, SESSION).await;
    let kept = browser.copy();
    for (name, value) in [("ask", ""), ("role", ""), ("log-in", ""), ("wait", "6-minutes"), ("restart", "")] {
        step_with(&mut browser, name, value).await;
        session.goes_on().await;
    }
    // A log-out of the second log-in is not one of the first.
    assert_ne!(kept.cookies["latchkey-lab-session"], browser.cookies["latchkey-lab-session"]);
    step(&mut browser, "log-out").await;
    session.goes_on().await;
    session.goes_on().await;
}

#[actix_web::test]
async fn the_token_s_connection_outlives_the_token_and_every_log_out() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    // Not even a deny-list is asked again.
    step_with(&mut browser, "deny-list", "database").await;
    let token = open(&app.origin, &browser, TOKEN).await;
    for (name, value) in [("disable", ""), ("log-out-everywhere", ""), ("wait", "8-days")] {
        step_with(&mut browser, name, value).await;
        token.goes_on().await;
    }
    token.goes_on().await;
}

#[actix_web::test]
async fn a_connection_needs_a_live_credential_when_it_is_opened() {
    let app = TestApp::spawn();
    listening(&app).await;
    for (path, challenge) in [(SESSION, "Cookie realm=\"lab\""), (TOKEN, "Bearer realm=\"lab\"")] {
        let answer = app.browser().get(path).await;
        assert_eq!(answer.is(401).header("www-authenticate"), Some(challenge));
    }
    let mut browser = start_run(&app).await;
    let mut copy = browser.copy();
    step(&mut browser, "log-out-everywhere").await;
    copy.get(SESSION).await.is(401);
    step_with(&mut browser, "wait", "6-minutes").await;
    let answer = copy.get(TOKEN).await;
    let challenge = "Bearer realm=\"lab\", error=\"invalid_token\"";
    assert_eq!(answer.is(401).header("www-authenticate"), Some(challenge));
    assert_eq!(recorded(&browser.get("/compare/live").await), [], "a refused connection was counted");
}

#[actix_web::test]
async fn without_a_script_a_connection_is_a_page_that_grows() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    let page = RawClient::send(&app.origin, &browser, &format!("GET {SESSION}"), PAGE).reading();
    page.answered(200).await;
    let shown = || text(&page.bytes());
    eventually("two lines", async || shown().contains("<li>Line 2, ").then_some(())).await;
    let head = shown().to_lowercase();
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains("default-src 'none'; style-src") && !head.contains("script-src"), "{head}");
    step(&mut browser, "log-out-everywhere").await;
    assert_eq!(page.ended().await, End::Reset);
    // The rest of the page would say that it ended normally.
    assert!(!shown().contains("data-end"), "{}", shown());
}

#[actix_web::test]
async fn the_page_shows_what_this_server_recorded() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    assert_eq!(recorded(&browser.get("/compare/live").await), []);
    let session = open(&app.origin, &browser, SESSION).await;
    let token = open(&app.origin, &browser, TOKEN).await;
    assert_eq!(recorded(&browser.get("/compare/live").await), [record("token", ""), record("session", "")]);
    let referer = format!("{}/compare/live", app.origin);
    browser.headers.push(("referer", referer));
    browser.post("/compare/log-out-everywhere", &[]).await.redirects_to("/compare/live");
    assert_eq!(session.ended().await, End::Reset);
    let expected = [record("token", ""), record("session", "session-ended")];
    assert_eq!(recorded(&browser.get("/compare/live").await), expected);
    let state = eventually("the time since the revocation", async || {
        let page = browser.copy().get("/compare/live").await;
        let state = page.text("tr[data-side=session] td").expect("a state");
        state.contains(" ms after the revocation").then_some(state)
    })
    .await;
    assert!(state.starts_with("Closed by the server"), "{state}");
    drop(token);
    let expected = [record("token", "client-left"), record("session", "session-ended")];
    eventually("the server notices that the browser has left", async || {
        (recorded(&browser.copy().get("/compare/live").await) == expected).then_some(())
    })
    .await;
    // Another run has none of it.
    let mut other = start_run(&app).await;
    assert_eq!(recorded(&other.get("/compare/live").await), []);
}

#[actix_web::test]
async fn a_run_has_at_most_four_connections_and_a_closed_one_makes_room() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    let mut open_ones = Vec::new();
    for path in [SESSION, TOKEN, SESSION, TOKEN] {
        open_ones.push(open(&app.origin, &browser, path).await);
    }
    for path in [SESSION, TOKEN] {
        let answer = browser.get(path).await;
        assert_eq!(answer.is(429).header("retry-after"), Some("60"));
    }
    drop(open_ones.pop());
    eventually("room for another", async || {
        let client = RawClient::send(&app.origin, &browser, &format!("GET {TOKEN}"), EVENTS).reading();
        eventually("an answer", async || (client.bytes().len() > 12).then_some(())).await;
        text(&client.bytes()).starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_instance_without_a_cache_opens_no_connection_behind_a_session() {
    let db = TestDb::new();
    let uncached = Latchkey::on(&db.url()).with("LATCHKEY__SESSIONS__CACHED", 0);
    let running = uncached.serve_ready().await;
    let mut browser = running.browser();
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    browser.get(SESSION).await.is(503);
    open(&uncached.origin(), &browser, TOKEN).await.goes_on().await;
}

#[actix_web::test]
async fn without_a_lease_the_session_s_connection_pauses_and_is_ended_after_a_while() {
    let app = TestApp::spawn();
    listening(&app).await;
    let browser = start_run(&app).await;
    let session = open(&app.origin, &browser, SESSION).await;
    let token = open(&app.origin, &browser, TOKEN).await;
    app.db.cut_off();
    let has_none = async || (!app.accounts.sessions().has_lease()).then_some(());
    eventually("the end of the lease", has_none).await;
    // What was written before has arrived.
    sleep(Duration::from_millis(200)).await;
    let before = lines(&session);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(lines(&session), before, "a line was sent without a lease");
    assert_eq!(session.ended().await, End::Reset);
    token.goes_on().await;
}

#[actix_web::test]
async fn a_head_request_holds_no_connection() {
    let app = TestApp::spawn();
    listening(&app).await;
    let mut browser = start_run(&app).await;
    for path in [SESSION, TOKEN] {
        let head = browser.request(reqwest::Method::HEAD, path);
        let answer = browser.send(head).await;
        assert_eq!(answer.is(200).header("content-type"), Some("text/event-stream"));
    }
    let left = [record("token", "client-left"), record("session", "client-left")];
    assert_eq!(recorded(&browser.get("/compare/live").await), left);
}

#[actix_web::test]
async fn a_stopping_instance_ends_both_within_two_seconds() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let mut running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    let origin = latchkey.origin();
    let session = eventually("an instance with a lease", async || {
        let client = RawClient::send(&origin, &browser, &format!("GET {SESSION}"), EVENTS).reading();
        eventually("an answer", async || (client.bytes().len() > 12).then_some(())).await;
        text(&client.bytes()).starts_with("HTTP/1.1 200 ").then_some(client)
    })
    .await;
    let token = open(&origin, &browser, TOKEN).await;
    let begun = Instant::now();
    running.signal(Signal::SIGTERM);
    session.ended().await;
    assert_eq!(token.ended().await, End::Closed);
    assert!(text(&token.bytes()).contains("event: end\ndata: stopped"), "{}", text(&token.bytes()));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    running.ended().await;
}

#[actix_web::test]
async fn the_page_has_a_script_of_ours_only_during_a_run_and_no_other_policy() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    assert_eq!(browser.get("/compare/live").await.is(200).count("script"), 0);
    let mut browser = start_run(&app).await;
    let page = browser.get("/compare/live").await;
    assert_eq!(page.count("script"), 1);
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    let plain = browser.get("/compare").await;
    assert!(!plain.header("content-security-policy").expect("a policy").contains("script-src"));
}
