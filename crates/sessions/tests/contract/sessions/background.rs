//! Background work, from its start to its end.

use std::time::Duration;

use latchkey_sessions::{Policy, Store};
use test_db::eventually;

use super::room::{ADA, Room};

#[actix_web::test]
async fn stopping_writes_the_last_uses_and_gives_up_the_lease() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    room.age("2 minutes");
    let background = room.sessions.start_background();
    eventually("a lease", async || room.sessions.has_lease().then_some(())).await;
    assert!(room.sessions.find_by_cookie(key.as_ref()).await.unwrap().is_some());
    assert!(room.row_has("last_seen_at < now() - interval '1 minute'"), "noted, and not written yet");

    background.stop().await.unwrap();
    assert!(room.row_has("last_seen_at > now() - interval '1 minute'"));
    assert!(!room.sessions.has_lease());
    assert_eq!(room.db.scalar::<i64>("SELECT count(*) FROM listeners"), 0);
}

#[actix_web::test]
async fn uses_are_written_and_tombstones_deleted_while_it_runs() {
    let policy = Policy {
        // Uses are written every quarter of the idle time, at most every 100 ms.
        idle: Duration::from_secs(2),
        touch_every: Duration::ZERO,
        keep_ended: Duration::from_secs(3600),
        sweep_every: Some(Duration::from_millis(50)),
        ..Policy::default()
    };
    let room = Room::with(policy);
    let dead = room.log_in(ADA).await;
    room.db.execute("UPDATE sessions SET revoked_at = now() - interval '2 hours'");
    let (store, background) = Store::builder(room.db.db()).policy(policy).spawn();
    eventually("a sweep", async || (room.rows() == 0).then_some(())).await;
    assert!(store.find_by_cookie(dead.as_ref()).await.unwrap().is_none());

    let key = room.log_in(ADA).await;
    room.db.execute("UPDATE sessions SET last_seen_at = last_seen_at - interval '1 second'");
    assert!(store.find_by_cookie(key.as_ref()).await.unwrap().is_some());
    eventually("a flush", async || room.row_has("last_seen_at >= created_at").then_some(())).await;
    background.stop().await.unwrap();
}

#[actix_web::test]
async fn without_a_cache_no_instance_listens() {
    let room = Room::with(Policy { cached: 0, ..Policy::default() });
    let background = room.sessions.start_background();
    assert!(!room.sessions.has_lease());
    assert_eq!(room.db.scalar::<i64>("SELECT count(*) FROM listeners"), 0);
    background.stop().await.unwrap();
}
