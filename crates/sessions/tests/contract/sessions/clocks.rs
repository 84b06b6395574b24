//! When a session expires. All clocks are the database's; tests age the rows instead of waiting.

use std::time::Duration;

use actix_session::storage::SessionStore as _;
use latchkey_sessions::{NewSession, Policy};

use super::room::{ADA, Room, TTL, belonging_to, login};

const HOUR: Duration = Duration::from_secs(3600);

/// Four lifetimes that cannot be confused.
fn policy() -> Policy {
    Policy {
        idle: HOUR,
        absolute: 10 * HOUR,
        remembered_idle: 20 * HOUR,
        remembered_absolute: 100 * HOUR,
        touch_every: Duration::from_secs(60),
        ..Policy::default()
    }
}

const PLAIN: &str = "least(last_seen_at + interval '1 hour', created_at + interval '10 hours')";
const REMEMBERED: &str = "least(last_seen_at + interval '20 hours', created_at + interval '100 hours')";

fn remembered() -> NewSession {
    NewSession { remember: true, ..login(ADA) }
}

#[actix_web::test]
async fn a_new_session_ends_after_its_idle_time() {
    let room = Room::with(policy());
    room.log_in(ADA).await;
    assert!(room.row_has(
        "created_at = last_seen_at AND expires_at = created_at + interval '1 hour' AND NOT remember"
    ));
}

#[actix_web::test]
async fn a_remembered_session_has_clocks_of_its_own() {
    let room = Room::with(policy());
    room.open(&remembered());
    assert!(
        room.row_has(
            "created_at = last_seen_at AND expires_at = created_at + interval '20 hours' AND remember"
        )
    );
}

#[actix_web::test]
async fn an_idle_time_longer_than_the_absolute_one_is_cut_to_it() {
    let room = Room::with(Policy { idle: 20 * HOUR, ..policy() });
    room.log_in(ADA).await;
    assert!(room.row_has("expires_at = created_at + interval '10 hours'"));
}

#[actix_web::test]
async fn a_session_in_use_is_written_at_most_once_per_touch_interval() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    room.age("59 seconds");
    let untouched = room.table();
    for _ in 0..3 {
        assert!(room.is_live(&key).await);
    }
    assert_eq!(room.table(), untouched);
    room.age("1 second");
    let idle = room.table();
    assert!(room.is_live(&key).await);
    let touched = room.table();
    assert_ne!(touched, idle);
    for _ in 0..3 {
        assert!(room.is_live(&key).await);
    }
    assert_eq!(room.table(), touched);
}

#[actix_web::test]
async fn a_touch_restarts_the_idle_clock_and_no_other() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    room.age("30 minutes");
    let others = room.table_without(&["last_seen_at", "expires_at"]);
    assert!(room.is_live(&key).await);
    assert_eq!(room.table_without(&["last_seen_at", "expires_at"]), others);
    assert!(room.row_has("last_seen_at > now() - interval '10 seconds'"));
    assert!(room.row_has(&format!("expires_at = {PLAIN} AND expires_at = last_seen_at + interval '1 hour'")));
}

#[actix_web::test]
async fn a_touch_never_moves_the_absolute_limit() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    room.db.execute("UPDATE sessions SET created_at = now() - interval '9.5 hours', last_seen_at = now() - interval '2 minutes'");
    assert!(room.is_live(&key).await);
    assert!(room.row_has(&format!("expires_at = {PLAIN} AND expires_at = created_at + interval '10 hours'")));
}

#[actix_web::test]
async fn a_remembered_session_is_touched_by_its_own_clocks() {
    let room = Room::with(policy());
    let (key, _) = room.open(&remembered());
    room.age("19 hours");
    assert!(room.sessions.find(&key).await.unwrap().is_some());
    room.sessions.flush_touches().await.unwrap();
    assert!(
        room.row_has(&format!(
            "expires_at = {REMEMBERED} AND expires_at = last_seen_at + interval '20 hours'"
        ))
    );
    room.db.execute("UPDATE sessions SET created_at = now() - interval '99 hours', last_seen_at = now() - interval '2 minutes'");
    assert!(room.sessions.find(&key).await.unwrap().is_some());
    room.sessions.flush_touches().await.unwrap();
    assert!(
        room.row_has(&format!(
            "expires_at = {REMEMBERED} AND expires_at = created_at + interval '100 hours'"
        ))
    );
}

#[actix_web::test]
async fn an_unused_session_ends() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    room.age("59 minutes 58 seconds");
    assert!(room.find(&key).await.is_some());
    room.age("1 hour");
    let dead = room.table();
    assert!(!room.is_live(&key).await);
    assert_eq!(room.table(), dead, "looking at a dead session must not touch it");
}

#[actix_web::test]
async fn an_unused_remembered_session_ends() {
    let room = Room::with(policy());
    let (key, _) = room.open(&remembered());
    room.age("19 hours 59 minutes");
    assert!(room.sessions.find(&key).await.unwrap().is_some());
    room.sessions.flush_touches().await.unwrap();
    room.age("20 hours");
    assert!(room.sessions.find(&key).await.unwrap().is_none());
}

#[actix_web::test]
async fn a_session_ends_however_much_it_is_used() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    for _ in 0..11 {
        room.age("50 minutes");
        assert!(room.is_live(&key).await);
        room.store().update_ttl(&key, &TTL).await.unwrap();
    }
    room.age("50 minutes");
    assert!(!room.is_live(&key).await);
}

#[actix_web::test]
async fn extending_restarts_the_idle_clock_but_never_passes_the_absolute_limit() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    for (remember, clocks) in [(false, PLAIN), (true, REMEMBERED)] {
        room.db.execute(&format!(
            "UPDATE sessions SET remember = {remember}, created_at = now() - interval '5 hours', \
             last_seen_at = now() - interval '50 minutes', expires_at = now() + interval '1 minute'"
        ));
        room.store().update_ttl(&key, &TTL).await.unwrap();
        assert!(
            room.row_has(&format!("expires_at = {clocks} AND last_seen_at > now() - interval '10 seconds'"))
        );
        room.db.execute("UPDATE sessions SET created_at = now() - interval '99.5 hours'");
        if !remember {
            room.db.execute("UPDATE sessions SET created_at = now() - interval '9.5 hours'");
        }
        room.store().update_ttl(&key, &TTL).await.unwrap();
        assert!(
            room.row_has(&format!("expires_at = {clocks} AND expires_at < now() + interval '31 minutes'"))
        );
    }
}

#[actix_web::test]
async fn extending_does_not_revive() {
    for death in ["revoked_at = now()", "expires_at = now() - interval '1 millisecond'"] {
        for remember in [false, true] {
            let room = Room::with(policy());
            let key = room.log_in(ADA).await;
            room.db.execute(&format!("UPDATE sessions SET remember = {remember}, {death}"));
            let dead = room.table();
            room.store().update_ttl(&key, &TTL).await.unwrap();
            assert_eq!(room.table(), dead);
            assert!(!room.is_live(&key).await);
        }
    }
}

#[actix_web::test]
async fn a_change_of_state_is_no_sign_of_life() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    room.age("59 minutes");
    let clocks = room.table_without(&["state"]);
    room.update(&key, belonging_to(ADA, &[("a", "1")])).await;
    assert_eq!(room.table_without(&["state"]), clocks);
}

/// A touch that changes no indexed column stays on its page and leaves the indexes alone.
#[actix_web::test]
async fn no_index_covers_what_a_touch_changes() {
    let room = Room::new();
    let covering: i64 = room.db.scalar(
        "SELECT count(*) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) \
         WHERE indrelid = 'sessions'::regclass AND attname IN ('last_seen_at', 'expires_at', 'state')",
    );
    assert_eq!(covering, 0);
}

#[actix_web::test]
async fn a_proof_counts_as_fresh_by_the_databases_clock() {
    let room = Room::with(policy());
    let key = room.log_in(ADA).await;
    let fresh = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!(room.find(&key).await.unwrap().confirmed_within(fresh(10)));
    room.db.execute("UPDATE sessions SET confirmed_at = now() - interval '9 minutes 50 seconds'");
    assert!(room.find(&key).await.unwrap().confirmed_within(fresh(10)));
    room.db.execute("UPDATE sessions SET confirmed_at = now() - interval '10 minutes 1 second'");
    let live = room.find(&key).await.unwrap();
    assert!(!live.confirmed_within(fresh(10)));
    assert!(live.confirmed_within(fresh(11)));
}
