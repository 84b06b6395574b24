//! An instance that is not notified of revocations passes nothing on.

use std::time::Duration;

use actix_web::rt::time::sleep;
use latchkey::apps::{Access, Rule};

use super::client::End;
use super::support::LastingApp;
use crate::front::support::User;
use crate::support::app::TestApp;
use crate::support::process::eventually;

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
    let mut user = User::logged_in(&app, &lasting.wiki, &ada).await;
    let (_, enter) = user.code().await;
    user.at_app.get(&enter).await.is(303);
    let events = lasting.events(&user, "/events").await;
    app.db.cut_off();
    let has_none = async || (!app.accounts.sessions().has_lease()).then_some(());
    eventually("the lease ends", has_none).await;
    app.db.restore();
    events.goes_on().await;
}
