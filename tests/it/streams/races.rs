//! Requests that begin while their session ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey::identity::{Client, UserId};
use tokio::sync::Barrier;

use super::client::{End, RawClient};
use super::support::LastingApp;
use crate::front::support::User;
use crate::support::app::TestApp;
use crate::support::process::eventually;

#[actix_web::test]
async fn no_stream_is_alive_after_a_revocation_that_was_raced_against_its_opening() {
    let app = TestApp::spawn();
    let other = app.beside(|_| {});
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    for round in 0..12 {
        let user = User::with_key(&app, &lasting.wiki, &ada).await;
        let start = Arc::new(Barrier::new(2));
        let revoking = {
            let (start, admin) = (Arc::clone(&start), app.accounts.admin.clone());
            async move {
                start.wait().await;
                sleep(Duration::from_micros(300 * round)).await;
                admin.revoke_sessions_of(None, UserId(ada.id), Client::operator()).await.unwrap();
            }
        };
        let opening = async {
            start.wait().await;
            let mut opened = Vec::new();
            for at in 0..12 {
                let instance = if at % 2 == 0 { &app } else { &other };
                let port = instance.origin.rsplit(':').next().unwrap();
                let origin = format!("http://wiki.localhost:{port}");
                opened.push(RawClient::send(&origin, &user.at_app, "GET /events", "").reading());
                sleep(Duration::from_micros(200)).await;
            }
            opened
        };
        let ((), opened) = futures_util::future::join(revoking, opening).await;
        join_all(opened.iter().map(|stream| async {
            let refused = async || stream.bytes().starts_with(b"HTTP/1.1 401 ").then_some(());
            let cut = async || (stream.has_ended() == Some(End::Reset)).then_some(());
            eventually("an end", async || refused().await.or(cut().await)).await;
        }))
        .await;
    }
}

#[actix_web::test]
async fn a_user_who_changes_without_pause_delays_no_stream_of_another_user() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let (ada, grace) = (app.ada().await, app.grace().await);
    let busy = User::with_key(&app, &lasting.wiki, &ada).await;
    let user = User::with_key(&app, &lasting.wiki, &grace).await;
    let events = lasting.events(&user, "/events").await;
    let hanging: Vec<RawClient> =
        (0..200).map(|_| RawClient::send(&lasting.wiki.origin, &busy.at_app, "GET /hanging", "")).collect();
    let received = &lasting.wiki.upstream;
    eventually("all are open", async || (received.received().len() > hanging.len()).then_some(())).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, mut conn) = (Arc::clone(&is_over), app.db.connect());
    let changes = thread::spawn(move || {
        let change = format!("SELECT pg_notify('latchkey', '{}')", ada.id);
        while !over.load(Ordering::SeqCst) {
            conn.batch_execute(&change).expect("a notification");
        }
    });
    sleep(Duration::from_secs(3)).await;
    events.goes_on().await;
    app.accounts.admin.revoke_sessions_of(None, UserId(grace.id), Client::operator()).await.unwrap();
    let answered = Instant::now();
    assert_eq!(events.ended().await, End::Reset);
    let took = answered.elapsed();
    is_over.store(true, Ordering::SeqCst);
    changes.join().expect("notifications");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(hanging.iter().all(|stream| stream.has_ended().is_none()));
}
