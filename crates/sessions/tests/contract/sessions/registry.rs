//! Listing and revoking the sessions of principals.

use latchkey_sessions::{Handle, Policy, Principal, Scope};
use uuid::Uuid;

use super::room::{ADA, GRACE, Room, login};

const UNKNOWN: Principal = Principal(Uuid::from_u128(0x0B0D7));

#[actix_web::test]
async fn revoking_ends_the_session_and_says_whose_it_was() {
    let room = Room::new();
    let (here, there) = (room.log_in(ADA).await, room.log_in(ADA).await);
    let handle = room.handle(&here).await;
    assert_eq!(room.revoke(handle, Some(ADA)), Some(ADA));
    assert!(!room.is_live(&here).await);
    assert!(room.is_live(&there).await);
    assert_eq!((room.rows(), room.live_rows()), (2, 1));
}

#[actix_web::test]
async fn without_a_scope_any_users_session_can_be_revoked() {
    let room = Room::new();
    let key = room.log_in(GRACE).await;
    let handle = room.handle(&key).await;
    assert_eq!(room.revoke(handle, None), Some(GRACE));
    assert!(!room.is_live(&key).await);
}

#[actix_web::test]
async fn a_principal_cannot_revoke_the_session_of_another() {
    let room = Room::new();
    let key = room.log_in(GRACE).await;
    let handle = room.handle(&key).await;
    let before = room.table();
    assert_eq!(room.revoke(handle, Some(ADA)), None);
    assert_eq!(room.table(), before);
    assert!(room.is_live(&key).await);
}

#[actix_web::test]
async fn a_session_that_is_not_live_is_not_revoked() {
    let room = Room::new();
    let (revoked, expired) = (room.log_in(ADA).await, room.log_in(ADA).await);
    let (first, second) = (room.handle(&revoked).await, room.handle(&expired).await);
    room.revoke(first, Some(ADA));
    room.db.execute(&format!(
        "UPDATE sessions SET expires_at = now() - interval '1 ms' WHERE handle = '{second}'"
    ));
    let before = room.table();
    for handle in [first, second, Handle(Uuid::nil()), Handle(Uuid::from_u128(1))] {
        assert_eq!(room.revoke(handle, Some(ADA)), None);
        assert_eq!(room.revoke(handle, None), None);
    }
    assert_eq!(room.revoke_all(ADA, None), 0);
    assert_eq!(room.table(), before);
}

#[actix_web::test]
async fn revoking_everything_of_a_principal_spares_the_others_and_the_exception() {
    let room = Room::new();
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(room.log_in(ADA).await);
    }
    let graces = room.log_in(GRACE).await;
    let here = room.handle(&keys[1]).await;
    assert_eq!(room.revoke_all(ADA, Some(here)), 2);
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(room.is_live(key).await, n == 1);
    }
    assert!(room.is_live(&graces).await);
    assert_eq!(room.revoke_all(ADA, Some(here)), 0);
    assert_eq!(room.revoke_all(ADA, None), 1);
    assert_eq!(room.count(Scope::Of(&[ADA])), 0);
    assert!(room.is_live(&graces).await);
}

#[actix_web::test]
async fn an_excepted_session_of_another_principal_spares_nothing() {
    let room = Room::new();
    let (adas, graces) = (room.log_in(ADA).await, room.log_in(GRACE).await);
    let foreign = room.handle(&graces).await;
    assert_eq!(room.revoke_all(ADA, Some(foreign)), 1);
    assert!(!room.is_live(&adas).await);
    assert!(room.is_live(&graces).await);
}

#[actix_web::test]
async fn a_revocation_whose_transaction_fails_ends_nothing() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let sessions = room.sessions.clone();
    let undone: Result<(), _> = room
        .sessions
        .write(move |change| {
            assert_eq!(sessions.revoke_all(change, ADA, None)?, 1);
            Err(latchkey_db::Fault::bug("the audit could not be written"))
        })
        .await;
    assert!(undone.is_err());
    assert!(room.is_live(&key).await);
}

#[actix_web::test]
async fn opening_one_session_too_many_ends_the_oldest() {
    let room = Room::with(Policy { per_principal: 3, ..Policy::default() });
    let graces = room.log_in(GRACE).await;
    let mut keys = Vec::new();
    for n in 0..5 {
        room.age("1 minute");
        keys.push(room.log_in(ADA).await);
        assert_eq!(room.count(Scope::Of(&[ADA])), (n + 1).min(3));
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(room.is_live(key).await, n >= 2, "{n}");
    }
    assert!(room.is_live(&graces).await);
    assert_eq!(room.rows(), 6);
}

#[actix_web::test]
async fn the_oldest_is_the_one_opened_first_however_much_it_is_used() {
    let room = Room::with(Policy { per_principal: 2, ..Policy::default() });
    let old = room.log_in(ADA).await;
    room.age("1 hour");
    let young = room.log_in(ADA).await;
    room.age("2 minutes");
    assert!(room.is_live(&old).await);
    let newest = room.log_in(ADA).await;
    assert!(!room.is_live(&old).await);
    assert!(room.is_live(&young).await && room.is_live(&newest).await);
}

#[actix_web::test]
async fn dead_sessions_do_not_count_towards_the_limit() {
    let room = Room::with(Policy { per_principal: 2, ..Policy::default() });
    let kept = room.log_in(ADA).await;
    for _ in 0..3 {
        room.age("1 second");
        let key = room.log_in(ADA).await;
        let handle = room.handle(&key).await;
        room.revoke(handle, None);
    }
    assert!(room.is_live(&kept).await);
}

#[actix_web::test]
async fn lists_show_live_sessions_last_seen_first() {
    let room = Room::new();
    let mut handles = Vec::new();
    for n in 0..6_u8 {
        let (_, handle) = room.open(&login(if n % 2 == 0 { ADA } else { GRACE }));
        let seen = [3, 5, 1, 4, 2, 6][usize::from(n)];
        room.db.execute(&format!(
            "UPDATE sessions SET last_seen_at = now() - interval '{seen} minutes' WHERE handle = '{handle}'"
        ));
        handles.push(handle);
    }
    let (revoked, _) = (room.log_in(ADA).await, room.log_in(GRACE).await);
    let revoked = room.handle(&revoked).await;
    room.revoke(revoked, None);
    room.db.execute(&format!(
        "UPDATE sessions SET expires_at = now() - interval '1 ms' WHERE handle <> '{revoked}' AND last_seen_at > now() - interval '30 seconds'"
    ));

    let listed = |scope, limit, offset| -> Vec<Handle> {
        room.list(scope, limit, offset).iter().map(|record| record.handle).collect()
    };
    let all = [2, 4, 0, 3, 1, 5].map(|n: usize| handles[n]);
    assert_eq!(listed(Scope::All, 100, 0), all);
    assert_eq!(listed(Scope::All, 2, 0), all[..2]);
    assert_eq!(listed(Scope::All, 3, 2), all[2..5]);
    assert_eq!(listed(Scope::All, 3, 6), []);
    assert_eq!(listed(Scope::Of(&[ADA]), 100, 0), [2, 4, 0].map(|n: usize| handles[n]));
    assert_eq!(listed(Scope::Of(&[GRACE]), 1, 1), [handles[1]]);
    assert_eq!(listed(Scope::Of(&[ADA, GRACE]), 100, 0), all);
    assert_eq!(listed(Scope::Of(&[UNKNOWN]), 100, 0), []);
    assert_eq!(listed(Scope::Of(&[]), 100, 0), []);
    for (scope, count) in [
        (Scope::All, 6),
        (Scope::Of(&[ADA]), 3),
        (Scope::Of(&[ADA, GRACE]), 6),
        (Scope::Of(&[UNKNOWN]), 0),
        (Scope::Of(&[]), 0),
    ] {
        assert_eq!(room.count(scope), count);
    }
}

#[actix_web::test]
async fn pages_of_a_list_neither_repeat_nor_lose_sessions_seen_at_the_same_moment() {
    let room = Room::new();
    for _ in 0..7 {
        room.open(&login(ADA));
    }
    room.db.execute("UPDATE sessions SET last_seen_at = now()");
    let mut seen = Vec::new();
    for page in 0..4 {
        seen.extend(room.list(Scope::All, 2, 2 * page).iter().map(|record| record.handle));
    }
    assert_eq!(seen.len(), 7);
    seen.sort_by_key(|handle| handle.0);
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[actix_web::test]
async fn listing_touches_no_session() {
    let room = Room::new();
    room.log_in(ADA).await;
    room.age("1 hour");
    let before = room.table();
    room.list(Scope::All, 10, 0);
    room.count(Scope::All);
    assert_eq!(room.table(), before);
}
