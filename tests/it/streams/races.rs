//! Requests that begin while their session ends.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::identity::{Client, UserId};
use tokio::sync::Barrier;

use super::client::{End, RawClient};
use super::support::LastingApp;
use crate::front::support::User;
use crate::support::app::TestApp;

#[actix_web::test]
async fn no_stream_is_alive_after_a_revocation_that_was_raced_against_its_opening() {
    let app = TestApp::spawn();
    let other = app.beside(|_| {});
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    for round in 0..12 {
        let mut user = User::logged_in(&app, &lasting.wiki, &ada).await;
        let (_, enter) = user.code().await;
        user.at_app.get(&enter).await.is(303);
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
        let ((), opened) = futures_util::join!(revoking, opening);
        join_all(opened.iter().map(|stream| async {
            let refused = async || stream.bytes().starts_with(b"HTTP/1.1 401 ").then_some(());
            let cut = async || (stream.has_ended() == Some(End::Reset)).then_some(());
            crate::support::process::eventually("an end", async || refused().await.or(cut().await)).await;
        }))
        .await;
    }
}
