//! While the database is unreachable, no one is logged in and no one is logged out.

use actix_session::storage::{LoadError, SessionStore as _};
use futures_util::future::join_all;
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use latchkey_sessions::{Key, Policy, Store};

use super::room::{ADA, Room, TTL, belonging_to, copy, unknown_key};
use test_db::unreachable_db;

/// Every call of the store, and whether it failed.
fn all_calls<'a>(
    sessions: &'a Store,
    key: &actix_session::storage::SessionKey,
) -> Vec<LocalBoxFuture<'a, bool>> {
    let store = || sessions.clone();
    let keys = || copy(key);
    let (one, two, three, four, five) = (keys(), keys(), keys(), keys(), keys());
    vec![
        async move { matches!(store().load(&one).await, Err(LoadError::Other(_))) }.boxed_local(),
        async move { store().save(belonging_to(ADA, &[]), &TTL).await.is_err() }.boxed_local(),
        async move { store().update(two, belonging_to(ADA, &[("a", "1")]), &TTL).await.is_err() }
            .boxed_local(),
        async move { store().update_ttl(&three, &TTL).await.is_err() }.boxed_local(),
        async move { store().delete(&four).await.is_err() }.boxed_local(),
        async move { sessions.find(&Key::parse(five.as_ref()).unwrap()).await.is_err() }.boxed_local(),
        async move { sessions.sweep().await.is_err() }.boxed_local(),
    ]
}

#[actix_web::test]
async fn a_database_that_was_never_there_fails_every_call() {
    let sessions = Store::builder(unreachable_db()).owner().policy(Policy::default()).build();
    assert_eq!(join_all(all_calls(&sessions, &unknown_key())).await, [true; 7]);
}

#[actix_web::test]
async fn a_database_that_goes_away_fails_every_call_and_loses_nothing() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    assert!(room.is_live(&key).await);
    let before = room.table();
    room.db.cut_off();
    assert_eq!(join_all(all_calls(&room.sessions, &key)).await, [true; 7]);
    room.db.restore();
    assert_eq!(room.table(), before);
    assert!(room.is_live(&key).await);
    room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    assert_eq!(room.load(&key).await, Some(belonging_to(ADA, &[("a", "1")])));
}

#[actix_web::test]
async fn a_connection_that_died_in_the_pool_is_replaced_unnoticed() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.db.end_connections();
    assert!(room.is_live(&key).await);
    room.db.end_connections();
    room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    assert_eq!(room.load(&key).await, Some(belonging_to(ADA, &[("a", "1")])));
    room.db.end_connections();
    room.store().delete(&key).await.unwrap();
    assert!(!room.is_live(&key).await);
}

#[actix_web::test]
async fn a_database_that_only_reads_admits_but_changes_nothing() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.db.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$",
    );
    room.db.end_connections();
    let before = room.table();
    assert!(room.is_live(&key).await);
    assert!(room.store().save(belonging_to(ADA, &[]), &TTL).await.is_err());
    assert!(room.store().update(copy(&key), belonging_to(ADA, &[("a", "1")]), &TTL).await.is_err());
    assert!(room.store().update_ttl(&key, &TTL).await.is_err());
    assert!(room.store().delete(&key).await.is_err());
    assert_eq!(room.table(), before);
}
