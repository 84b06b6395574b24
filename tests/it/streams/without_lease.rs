//! An instance that is not notified of revocations passes nothing on.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use actix_web::rt::time::sleep;
use latchkey::apps::{Access, Rule};

use super::client::{End, RawClient};
use super::support::LastingApp;
use crate::front::support::{User, register};
use crate::support::app::TestApp;
use crate::support::process::eventually;
use crate::support::upstream::{After, Upstream};

#[actix_web::test]
async fn without_a_lease_streams_pause_and_are_cut_after_a_while_open_rules_included() {
    let app = TestApp::spawn();
    let lasting = LastingApp::register(&app, |app| app.rules = vec![Rule::everywhere(Access::Open)]).await;
    let visitor = User::new(&app, &lasting.wiki);
    let events = lasting.events(&visitor, "/events").await;
    app.db.cut_off();
    let has_none = async || (!app.accounts.sessions().has_lease()).then_some(());
    eventually("the lease ends", has_none).await;
    // The data that was written before has arrived.
    sleep(Duration::from_millis(200)).await;
    let before = events.bytes().len();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(events.bytes().len(), before, "nothing is passed on without a lease");
    assert_eq!(events.has_ended(), None);
    assert_eq!(events.ended().await, End::Reset);
}

#[actix_web::test]
async fn a_stream_goes_on_when_the_lease_is_back_soon() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let events = lasting.events(&user, "/events").await;
    app.db.cut_off();
    let has_none = async || (!app.accounts.sessions().has_lease()).then_some(());
    eventually("the lease ends", has_none).await;
    app.db.restore();
    events.goes_on().await;
}

/// A probe of the portal on the same connection needs no lease. Its response must not carry the held-back one along.
#[actix_web::test]
async fn a_pipelined_request_does_not_release_a_response_that_is_held_back() {
    let app = TestApp::spawn();
    let ready = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&ready);
    let upstream = Upstream::scripted(move |_, stream| {
        while !answers.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8000\r\n\r\n");
        let _ = stream.write_all(&[b'x'; 8000]);
        After::KeepOpen
    });
    let wiki = register(&app, "wiki", upstream, |app| app.rules = vec![Rule::everywhere(Access::Open)]).await;
    let visitor = User::new(&app, &wiki);
    let client = RawClient::send(&wiki.origin, &visitor.at_app, "GET /", "").reading();
    eventually("the request arrives", async || (!wiki.upstream.received().is_empty()).then_some(())).await;
    app.db.cut_off();
    let has_none = async || (!app.accounts.sessions().has_lease()).then_some(());
    eventually("the lease ends", has_none).await;
    ready.store(true, Ordering::SeqCst);
    sleep(Duration::from_millis(300)).await;
    assert!(client.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    sleep(Duration::from_millis(500)).await;
    assert_eq!(client.bytes().len(), 0, "nothing is passed on without a lease");
    assert_eq!(client.ended().await, End::Reset);
    assert_eq!(client.bytes().len(), 0, "nothing is passed on without a lease");
}
