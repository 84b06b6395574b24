//! An application that looks the session up itself, before actix-session does.

use actix_session::storage::SessionStore as _;
use latchkey_sessions::{LiveSession, request};

use super::room::{ADA, GRACE, IDENTITY, Room};

#[actix_web::test]
async fn a_session_that_the_application_has_looked_up_is_not_looked_up_again() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.sessions.find_by_cookie(key.as_ref()).await.unwrap();
    let handle = live.as_ref().map(|live| live.record.handle);
    assert!(handle.is_some());
    let lookups = room.sessions.counts().bypasses.get();
    let load = async {
        let state = room.store().load(&key).await.unwrap();
        (state, request::loaded::<()>().map(|live| live.record.handle))
    };
    let (state, loaded) = request::scope_with(key.as_ref(), live, load).await;
    assert!(state.is_some_and(|state| state.contains_key(IDENTITY)));
    assert_eq!(loaded, handle);
    assert_eq!(room.sessions.counts().bypasses.get(), lookups);
}

#[actix_web::test]
async fn a_key_without_a_session_is_not_looked_up_again_but_another_key_is() {
    let room = Room::new();
    let (ada, grace) = (room.log_in(ADA).await, room.log_in(GRACE).await);
    let nothing = || None::<LiveSession<()>>;
    let state = request::scope_with(ada.as_ref(), nothing(), room.store().load(&ada)).await;
    assert_eq!(state.unwrap(), None);
    let state = request::scope_with(ada.as_ref(), nothing(), room.store().load(&grace)).await;
    assert!(state.unwrap().is_some());
}

#[actix_web::test]
async fn looking_up_leaves_nothing_in_the_request() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let loaded = request::scope(async {
        assert!(room.sessions.find_by_cookie(key.as_ref()).await.unwrap().is_some());
        request::loaded::<()>().is_some()
    });
    assert!(!loaded.await);
}

#[actix_web::test]
async fn a_session_that_the_application_has_ended_is_not_ended_again() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let live = room.sessions.find_by_cookie(key.as_ref()).await.unwrap();
    let purge = async {
        request::session_ended();
        room.store().delete(&key).await.unwrap();
    };
    request::scope_with(key.as_ref(), live, purge).await;
    // The application claimed a session that it had not looked up: the store trusted it and sent no query.
    assert!(room.sessions.find_by_cookie(key.as_ref()).await.unwrap().is_some());
    room.store().delete(&key).await.unwrap();
    assert!(room.sessions.find_by_cookie(key.as_ref()).await.unwrap().is_none());
}
