//! `update` and `delete`: what is written at the end of a request.

use actix_session::storage::SessionStore as _;

use super::room::{ADA, GRACE, IDENTITY, Map, Room, TTL, belonging_to, map, unknown_key};

#[actix_web::test]
async fn an_update_replaces_the_state_and_nothing_else() {
    let room = Room::new();
    let key = room.store().save(belonging_to(ADA, &[("old", "1"), ("kept", "2")]), &TTL).await.unwrap();
    room.age("1 hour");
    let before = room.table_without(&["state"]);
    let state = belonging_to(ADA, &[("kept", "2"), ("new", "3")]);
    let answer = room.update(&key, state.clone()).await;
    assert_eq!(answer.as_ref(), key.as_ref());
    assert_eq!(room.table_without(&["state"]), before);
    assert_eq!(room.load(&key).await, Some(state));
}

#[actix_web::test]
async fn an_update_can_empty_the_state() {
    let room = Room::new();
    let key = room.store().save(belonging_to(ADA, &[("old", "1")]), &TTL).await.unwrap();
    room.update(&key, belonging_to(ADA, &[])).await;
    assert!(room.row_has("state = '{}'"));
}

#[actix_web::test]
async fn an_update_never_gives_a_session_to_another_principal() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.update(&key, belonging_to(GRACE, &[("a", "1")])).await;
    assert!(room.row_has(&format!("principal = '{ADA}'")));
    assert_eq!(room.load(&key).await.unwrap()[IDENTITY], format!("\"{ADA}\""));
}

/// `Session::clear()`, and logging out with `LogoutBehavior::DeleteIdentityKeys`.
#[actix_web::test]
async fn a_state_that_lost_its_principal_ends_the_session() {
    for state in [map(&[]), map(&[("theme", "\"dark\"")])] {
        let room = Room::new();
        let key = room.log_in(ADA).await;
        let answer = room.update(&key, state).await;
        assert_eq!(answer.as_ref(), key.as_ref());
        assert!(!room.is_live(&key).await);
        assert_eq!((room.rows(), room.live_rows()), (1, 0));
    }
}

#[actix_web::test]
async fn an_update_of_a_missing_session_creates_nothing() {
    let room = Room::new();
    let key = unknown_key();
    let answer = room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    assert_eq!(answer.as_ref(), key.as_ref());
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn an_update_of_a_dead_session_writes_nothing() {
    for death in ["revoked_at = now()", "expires_at = now() - interval '1 millisecond'"] {
        let room = Room::new();
        let key = room.log_in(ADA).await;
        room.db.execute(&format!("UPDATE sessions SET {death}"));
        let before = room.table();
        let answer = room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
        assert_eq!(answer.as_ref(), key.as_ref());
        assert_eq!(room.table(), before, "{death}");
        assert!(!room.is_live(&answer).await);
    }
}

#[actix_web::test]
async fn a_deleted_session_is_a_tombstone() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.store().delete(&key).await.unwrap();
    assert!(!room.is_live(&key).await);
    assert!(room.row_has("revoked_at <= now() AND expires_at > now()"));
}

#[actix_web::test]
async fn deleting_again_changes_nothing() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.store().delete(&key).await.unwrap();
    let before = room.table();
    room.store().delete(&key).await.unwrap();
    room.store().delete(&unknown_key()).await.unwrap();
    assert_eq!(room.table(), before);
}

#[actix_web::test]
async fn deleting_ends_one_session_only() {
    let room = Room::new();
    let (here, there) = (room.log_in(ADA).await, room.log_in(ADA).await);
    room.store().delete(&here).await.unwrap();
    assert!(!room.is_live(&here).await);
    assert!(room.is_live(&there).await);
}

#[actix_web::test]
async fn a_state_that_is_too_large_is_refused_and_changes_nothing() {
    let room = Room::new();
    let key = room.store().save(belonging_to(ADA, &[("a", "1")]), &TTL).await.unwrap();
    let before = room.table();
    for state in too_large() {
        assert!(room.store().update(super::room::copy(&key), state.clone(), &TTL).await.is_err());
        assert!(room.store().save(state, &TTL).await.is_err());
        assert_eq!(room.table(), before);
    }
    let full = belonging_to(ADA, &[("a", &"x".repeat(4095))]);
    room.update(&key, full.clone()).await;
    assert_eq!(room.load(&key).await, Some(full));
}

fn too_large() -> Vec<Map> {
    let many: Vec<(String, String)> = (0..600).map(|n| (format!("{n:03}"), "1234".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    vec![
        belonging_to(ADA, &[("a", &"x".repeat(4096))]),
        belonging_to(ADA, &[(&"x".repeat(4096), "1")]),
        belonging_to(ADA, &[("a", &"é".repeat(2048))]),
        belonging_to(ADA, &many),
    ]
}
