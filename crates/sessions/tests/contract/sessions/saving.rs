//! `save` and `load`.

use actix_session::storage::SessionStore as _;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::room::{ADA, GRACE, IDENTITY, Room, TTL, belonging_to, key, login, map, parsed, unknown_key};
use crate::support::bytes_of_key;

#[actix_web::test]
async fn a_saved_session_is_loaded_again() {
    let room = Room::new();
    let state = belonging_to(ADA, &[("theme", "\"dark\""), ("emoji", "\"🗝\"")]);
    let key = room.store().save(state.clone(), &TTL).await.unwrap();
    assert_eq!(room.load(&key).await, Some(state));
}

#[actix_web::test]
async fn two_sessions_know_nothing_of_each_other() {
    let room = Room::new();
    let ada = room.store().save(belonging_to(ADA, &[("mine", "1")]), &TTL).await.unwrap();
    let grace = room.store().save(belonging_to(GRACE, &[("mine", "2")]), &TTL).await.unwrap();
    assert_ne!(ada.as_ref(), grace.as_ref());
    assert_eq!(room.load(&ada).await, Some(belonging_to(ADA, &[("mine", "1")])));
    assert_eq!(room.load(&grace).await, Some(belonging_to(GRACE, &[("mine", "2")])));
}

#[actix_web::test]
async fn of_the_key_only_its_hash_is_in_the_database() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    let text = key.as_ref();
    let bytes = bytes_of_key(text).unwrap();
    let table = room.table();
    assert!(!table.contains(text));
    for secret in [text.as_bytes(), &bytes] {
        assert!(!table.contains(&HEXLOWER.encode(secret)));
    }
    assert!(table.contains(&HEXLOWER.encode(&Sha256::digest(text.as_bytes()))));
}

#[actix_web::test]
async fn reading_the_table_lets_no_one_log_in() {
    let room = Room::new();
    room.log_in(ADA).await;
    let hash: String =
        room.db.scalar("SELECT rtrim(translate(encode(key_hash, 'base64'), '+/', '-_'), '=') FROM sessions");
    assert!(!room.is_live(&key(&hash)).await);
    let handle: String = room.db.scalar("SELECT handle::text FROM sessions");
    assert!(!room.is_live(&key(&handle)).await);
}

#[actix_web::test]
async fn the_principal_is_a_column_and_not_in_the_state() {
    let room = Room::new();
    let key = room.store().save(belonging_to(ADA, &[("a", "1")]), &TTL).await.unwrap();
    assert!(room.row_has(&format!("principal = '{ADA}' AND state = '{{\"a\": \"1\"}}'")));
    // The column overrides what the state claims.
    room.db.execute(&format!("UPDATE sessions SET state = jsonb_build_object('{IDENTITY}', '\"{GRACE}\"')"));
    assert_eq!(room.load(&key).await, Some(belonging_to(ADA, &[])));
}

#[actix_web::test]
async fn a_session_without_a_principal_is_not_stored() {
    let room = Room::new();
    for state in [map(&[]), map(&[("basket", "[1]")])] {
        assert!(room.store().save(state, &TTL).await.is_err());
    }
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn a_principal_that_is_no_uuid_is_not_stored() {
    let room = Room::new();
    for id in ["", "ada", "\"ada\"", "\"\"", "null", "7", "[]", "\"' OR true --\""] {
        assert!(room.store().save(map(&[(IDENTITY, id)]), &TTL).await.is_err(), "{id}");
    }
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn an_unknown_key_opens_nothing() {
    let room = Room::new();
    room.log_in(ADA).await;
    assert_eq!(room.load(&unknown_key()).await, None);
}

#[actix_web::test]
async fn an_expired_session_is_not_loaded() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.db.execute("UPDATE sessions SET expires_at = now() - interval '1 millisecond'");
    assert_eq!(room.load(&key).await, None);
    assert!(room.find(&key).await.is_none());
}

#[actix_web::test]
async fn a_revoked_session_is_not_loaded() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.db.execute("UPDATE sessions SET revoked_at = now()");
    assert_eq!(room.load(&key).await, None);
    assert!(room.find(&key).await.is_none());
}

#[actix_web::test]
async fn a_login_is_stored_with_all_that_was_said_about_it() {
    let room = Room::new();
    let (key, handle) = room.open(&login(ADA));
    let record = &room.sessions.find(&key).await.unwrap().unwrap().record;
    assert_eq!((record.handle, record.principal, record.remember), (handle, ADA, false));
    assert_eq!((&*record.login.factor, record.address.as_str()), ("password", "192.0.2.7"));
    assert_eq!(&*record.login.user_agent, "Mozilla/5.0");
    assert_eq!(record.created_at, record.confirmed_at);
    assert_eq!(record.created_at, record.last_seen_at);
}

#[actix_web::test]
async fn user_agents_are_cut_to_the_length_of_the_column() {
    let room = Room::new();
    let hostile = |unit: &str| latchkey_sessions::NewSession {
        address: unit.repeat(10_000),
        user_agent: unit.repeat(10_000),
        ..login(ADA)
    };
    for unit in ["a", "\0a", "🗝", "\u{202e}", "';--", "\u{feff}\r\n"] {
        let (key, _) = room.open(&hostile(unit));
        let record = &room.sessions.find(&key).await.unwrap().unwrap().record;
        let clean = unit.replace('\0', "").repeat(10_000);
        assert_eq!(record.address, clean.chars().take(45).collect::<String>());
        assert_eq!(*record.login.user_agent, *clean.chars().take(400).collect::<String>());
    }
    let (key, _) = room.open(&latchkey_sessions::NewSession { user_agent: "\0".into(), ..login(ADA) });
    assert_eq!(&*room.sessions.find(&key).await.unwrap().unwrap().record.login.user_agent, "");
}

#[actix_web::test]
async fn a_login_whose_transaction_fails_leaves_no_session() {
    let room = Room::new();
    let sessions = room.sessions.clone();
    let failed: Result<(), _> = room
        .sessions
        .write(move |change| {
            sessions.open(change, &login(ADA))?;
            Err(latchkey_db::Fault::bug("the audit could not be written"))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn every_key_is_a_new_one() {
    let room = Room::new();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let key = room.log_in(ADA).await;
        assert_eq!(bytes_of_key(key.as_ref()).unwrap().len(), 32);
        assert!(seen.insert(parsed(&key).hash().as_bytes().to_vec()));
    }
}
