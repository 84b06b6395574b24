//! Changes that do not concern a stream do not end it.

use latchkey::apps::{Access, Rule};
use latchkey::identity::{Client, GroupName, UserId};

use super::client::{End, RawClient};
use super::support::{LastingApp, members_below};
use crate::front::support::User;
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_stream_goes_on_when_other_things_of_the_user_and_the_app_change() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    let grace = app.grace().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let events = lasting.events(&user, "/events").await;
    // A log-in elsewhere.
    let mut elsewhere = app.logged_in(&ada).await;
    events.goes_on().await;
    // Another name.
    elsewhere.fill_in("/account/profile", &[("name", "Ada King")]).await.is(303);
    events.goes_on().await;
    // The other session ends.
    elsewhere.get("/home").await;
    elsewhere.post("/logout", &[]).await.is(303);
    events.goes_on().await;
    // The sessions of another user end.
    app.accounts.admin.revoke_sessions_of(None, UserId(grace.id), Client::operator()).await.unwrap();
    events.goes_on().await;
    // A setting of the app that says nothing about who gets in.
    let before = app.accounts.apps.find("wiki").await.unwrap().unwrap();
    let after = latchkey::apps::App { name: "Our wiki".to_owned(), ..before.clone() };
    app.accounts.apps.change(None, before, after, Client::operator()).await.unwrap();
    events.goes_on().await;
    // Every session is read again.
    app.accounts.sessions().wait_until_invalidated().await;
    events.goes_on().await;
    assert_eq!(events.has_ended(), None);
}

#[actix_web::test]
async fn a_group_that_is_lost_ends_the_streams_of_its_rule_and_no_others() {
    let app = TestApp::spawn();
    let admins = GroupName::parse("wiki-admins").unwrap();
    app.accounts.groups.add(None, admins.clone(), "", Client::operator()).await.unwrap();
    let lasting = LastingApp::register(&app, |app| {
        app.rules = vec![members_below("/admin", "wiki-admins"), Rule::everywhere(Access::SignedIn)];
    })
    .await;
    let ada = app.ada().await;
    app.accounts.groups.join(None, &admins, UserId(ada.id), Client::operator()).await.unwrap();
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let below_admin = lasting.events(&user, "/admin/events").await;
    let elsewhere = lasting.events(&user, "/events").await;
    app.accounts.groups.leave(None, &admins, UserId(ada.id), Client::operator()).await.unwrap();
    assert_eq!(below_admin.ended().await, End::Reset);
    elsewhere.goes_on().await;
}

#[actix_web::test]
async fn a_stream_lasts_as_long_as_its_session_is_used_and_no_longer() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    app.db.execute("UPDATE sessions SET expires_at = now() + interval '1 second'");
    let events = lasting.events(&user, "/events").await;
    // The user uses the portal meanwhile, on any instance.
    app.db.execute("UPDATE sessions SET expires_at = now() + interval '3 seconds'");
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1500)).await;
    events.goes_on().await;
    assert_eq!(events.ended().await, End::Reset);
}

#[actix_web::test]
async fn an_aged_proof_does_not_end_the_streams_that_it_opened() {
    let app = TestApp::spawn();
    let fresh = std::time::Duration::from_secs(600);
    let lasting = LastingApp::register(&app, |app| {
        app.rules = vec![Rule { fresh: Some(fresh), ..Rule::everywhere(Access::SignedIn) }];
    })
    .await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let events = lasting.events(&user, "/events").await;
    app.db.execute(
        "UPDATE session_keys SET proved_at = proved_at - interval '9 minutes 59 seconds'; \
         UPDATE sessions SET last_seen_at = last_seen_at",
    );
    app.accounts.sessions().wait_until_invalidated().await;
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1500)).await;
    let again = RawClient::send(&lasting.wiki.origin, &user.at_app, "GET /events", "").reading();
    again.answered(401).await;
    app.logged_in(&ada).await;
    events.goes_on().await;
}

#[actix_web::test]
async fn a_stopping_instance_ends_event_streams_at_once() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let events = lasting.events(&user, "/events").await;
    let begun = std::time::Instant::now();
    drop(app);
    events.ended().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}
