//! The door to Postgres, through restarts.

use std::sync::mpsc::channel;

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey::config::Settings;
use latchkey::db::{Db, Fault, after_commit};

use crate::support::db::TestDb;

async fn read(db: &Db) -> Result<(), Fault> {
    db.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
}

async fn write(db: &Db) -> Result<(), Fault> {
    db.write(|conn| {
        Ok(conn.batch_execute(
            "INSERT INTO setup_tokens (token_hash) VALUES (sha256(gen_random_uuid()::text::bytea))",
        )?)
    })
    .await
}

async fn fill_the_pool(db: &Db) {
    let slow = || db.read(|conn| Ok(conn.batch_execute("SELECT pg_sleep(0.05)")?));
    for answer in join_all((0..8).map(|_| slow())).await {
        answer.unwrap();
    }
}

#[actix_web::test]
async fn after_every_connection_died_the_very_next_reads_and_writes_succeed() {
    let test_db = TestDb::new();
    let db = test_db.db();
    for round in 0..3 {
        fill_the_pool(&db).await;
        test_db.end_connections();
        for _ in 0..10 {
            if round % 2 == 0 { read(&db).await.unwrap() } else { write(&db).await.unwrap() }
        }
    }
}

#[actix_web::test]
async fn a_connection_lost_inside_a_transaction_is_a_fault_and_nothing_of_it_remains() {
    let test_db = TestDb::new();
    let db = test_db.db();
    let torn = db
        .write(|conn| {
            conn.batch_execute("INSERT INTO setup_tokens (token_hash) VALUES (sha256('torn'))")?;
            Ok(conn.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")?)
        })
        .await;
    assert!(matches!(torn, Err(Fault::LostConnection(_))), "{torn:?}");
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM setup_tokens"), 0);
    write(&db).await.unwrap();
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM setup_tokens"), 1);
}

#[actix_web::test]
async fn a_connection_to_a_server_that_only_reads_is_given_up() {
    let test_db = TestDb::new();
    let db = test_db.db();
    // What a server does to us that has lost its place to another one.
    db.read(|conn| Ok(conn.batch_execute("SET default_transaction_read_only = on")?)).await.unwrap();
    assert!(matches!(write(&db).await, Err(Fault::LostConnection(_))));
    write(&db).await.unwrap();
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM setup_tokens"), 1);
}

#[actix_web::test]
async fn while_the_database_is_away_everything_is_unavailable_and_then_works_again() {
    let test_db = TestDb::new();
    let db = test_db.db();
    read(&db).await.unwrap();
    test_db.cut_off();
    assert!(matches!(read(&db).await, Err(Fault::Unavailable(_) | Fault::LostConnection(_))));
    assert!(matches!(write(&db).await, Err(Fault::Unavailable(_) | Fault::LostConnection(_))));
    test_db.restore();
    read(&db).await.unwrap();
    write(&db).await.unwrap();
}

#[actix_web::test]
async fn what_waits_for_a_commit_happens_after_it_and_never_without_it() {
    let test_db = TestDb::new();
    let db = test_db.db();
    let (tell, told) = channel();
    for (what, outcome) in [("committed", Ok(())), ("undone", Err(Fault::bug("no"))), ("again", Ok(()))] {
        let tell = tell.clone();
        let answer = db.write(move |conn| {
            let inside = tell.clone();
            after_commit::run(conn, move || tell.send(what).unwrap());
            inside.send("inside").unwrap();
            outcome
        });
        let _ = answer.await;
    }
    // Without a transaction of ours there is nothing to wait for.
    after_commit::run(&mut test_db.connect(), move || tell.send("at once").unwrap());
    let order: Vec<_> = told.iter().collect();
    assert_eq!(order, ["inside", "committed", "inside", "inside", "again", "at once"]);
}

#[actix_web::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_and_not_only_left_behind() {
    let test_db = TestDb::new();
    let environment: Vec<_> = [("DATABASE__STATEMENT_TIMEOUT", "1s"), ("DATABASE__LOCK_TIMEOUT", "1s")]
        .map(|(name, value)| (format!("LATCHKEY__{name}"), value.to_owned()))
        .into();
    let environment = settings().into_iter().chain(environment).collect();
    let db = Db::new(&test_db.url(), Settings::from_environment(environment).unwrap().pool);
    let slow = |conn: &mut PgConnection| Ok(conn.batch_execute("SELECT pg_sleep(30)")?);
    let faults = [db.read(slow).await, db.write(slow).await];
    for fault in faults {
        let fault = fault.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unavailable(why) if why.contains("statement timeout")),
            "we gave up first: {fault}"
        );
    }
    let mut holder = test_db.connect();
    holder.batch_execute("BEGIN; LOCK TABLE users").unwrap();
    let fault = db.read(|conn| Ok(conn.batch_execute("SELECT FROM users")?)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unavailable(why) if why.contains("timeout")), "{fault}");
}

#[actix_web::test]
async fn a_door_that_is_still_shut_says_so() {
    let open = TestDb::new();
    let db = Db::shut(Settings::from_environment(settings()).unwrap().pool);
    assert!(matches!(read(&db).await, Err(Fault::Unavailable(_))));
    db.open(&open.url());
    read(&db).await.unwrap();
}

fn settings() -> std::collections::HashMap<String, String> {
    [
        ("DATABASE_URL", "postgres://nowhere"),
        ("LATCHKEY__SECRET", "only-for-tests-0123456789-abcdefghijkl"),
        ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .collect()
}
