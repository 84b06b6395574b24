//! The sweep deletes tombstones when they have expired.

use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join;
use latchkey_sessions::{Policy, Store};

use super::room::{ADA, Room};

fn room() -> Room {
    Room::with(Policy { keep_ended: Duration::from_secs(24 * 3600), ..Policy::default() })
}

/// `count` sessions that ended `ago`, by expiry or by revocation.
fn ended(room: &Room, count: u32, how: &str) {
    room.db.execute(&format!(
        "INSERT INTO sessions (key_hash, principal, factor, address, user_agent, created_at, expires_at, revoked_at) \
         SELECT sha256((random() || ' ' || n)::bytea), '{ADA}', 'password', '', '', now() - interval '9 days', {how} \
         FROM generate_series(1, {count}) n"
    ));
}

#[actix_web::test]
async fn only_sessions_dead_for_longer_than_they_are_kept_are_swept() {
    let room = room();
    let live = room.log_in(ADA).await;
    // Expired; revoked while live; revoked after it had expired.
    ended(&room, 1, "now() - interval '25 hours', NULL");
    ended(&room, 1, "now() + interval '1 day', now() - interval '25 hours'");
    ended(&room, 1, "now() - interval '25 hours', now()");
    ended(&room, 2, "now() - interval '23 hours', NULL");
    ended(&room, 2, "now() + interval '1 day', now() - interval '23 hours'");
    assert_eq!(room.sessions.sweep().await.unwrap(), 3);
    assert_eq!(room.rows(), 5);
    assert_eq!(room.rows_where("least(expires_at, revoked_at) < now() - interval '24 hours'"), 0);
    assert!(room.is_live(&live).await);
    assert_eq!(room.sessions.sweep().await.unwrap(), 0);
}

#[actix_web::test]
async fn many_are_swept_in_batches() {
    let room = room();
    let live = room.log_in(ADA).await;
    ended(&room, 25_000, "now() - interval '25 hours', NULL");
    record_batches(&room);
    let kept = room.rows_where("expires_at > now()");
    assert_eq!(room.sessions.sweep().await.unwrap(), 25_000);
    assert_eq!(room.rows(), kept);
    assert!(room.is_live(&live).await);
    assert_eq!(batches(&room), "10000 10000 5000");
}

#[actix_web::test]
async fn two_sweeps_at_once_count_each_session_once() {
    let room = room();
    ended(&room, 25_000, "now() - interval '25 hours', NULL");
    let other = Store::builder(room.db.db()).policy(*room.sessions.policy()).build();
    let (one, two) = join(room.sessions.sweep(), other.sweep()).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one + two + usize::try_from(room.rows()).unwrap(), 25_000);
    // The second sweep stops at once, so the first may have left rows that ended meanwhile.
    let rest = room.sessions.sweep().await.unwrap();
    assert_eq!(one + two + rest, 25_000);
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn a_sweep_leaves_the_work_to_one_under_way_and_does_not_wait_for_it() {
    let room = room();
    ended(&room, 5, "now() - interval '25 hours', NULL");
    let mut other = room.db.connect();
    other
        .transaction(|conn| {
            conn.batch_execute("SELECT pg_advisory_xact_lock(hashtext('latchkey.sweep'))")?;
            let swept = tokio_free(|| room.sessions.clone());
            assert_eq!(swept, 0);
            diesel::QueryResult::Ok(())
        })
        .unwrap();
    assert_eq!(room.sessions.sweep().await.unwrap(), 5);
}

#[actix_web::test]
async fn a_sweep_skips_locked_rows() {
    let room = room();
    ended(&room, 5, "now() - interval '25 hours', NULL");
    let mut other = room.db.connect();
    other
        .transaction(|conn| {
            conn.batch_execute("SELECT FROM sessions ORDER BY handle LIMIT 2 FOR UPDATE")?;
            assert_eq!(tokio_free(|| room.sessions.clone()), 3);
            diesel::QueryResult::Ok(())
        })
        .unwrap();
    assert_eq!(room.sessions.sweep().await.unwrap(), 2);
}

/// Sweeps from a thread with its own runtime, while the test's runtime is busy.
fn tokio_free(sessions: impl FnOnce() -> Store) -> usize {
    let sessions = sessions();
    std::thread::spawn(move || actix_web::rt::System::new().block_on(sessions.sweep()).unwrap())
        .join()
        .unwrap()
}

fn record_batches(room: &Room) {
    room.db.execute(
        "CREATE TABLE batches (id serial, size bigint); \
         CREATE FUNCTION record_batch() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO batches (size) SELECT count(*) FROM gone; RETURN NULL; END'; \
         CREATE TRIGGER record_batch AFTER DELETE ON sessions REFERENCING OLD TABLE AS gone \
         FOR EACH STATEMENT EXECUTE FUNCTION record_batch()",
    );
}

fn batches(room: &Room) -> String {
    room.db.scalar("SELECT string_agg(size::text, ' ' ORDER BY id) FROM batches WHERE size > 0")
}
