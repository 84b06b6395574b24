//! The pool, across restarts of Postgres.

use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::time::Duration;

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey_db::{Db, Fault, PoolSettings, after_commit};
use test_db::{TestSchema, TestServer};

/// A database without tables, so that only the pool is tested.
struct Empty;

static SERVER: LazyLock<TestServer> =
    LazyLock::new(|| TestServer::start::<Empty>(env!("CARGO_TARGET_TMPDIR")));

impl TestSchema for Empty {
    const DIRECTORIES: &'static [&'static str] = &[];

    fn apply(_url: &str) {}

    fn server() -> &'static TestServer {
        &SERVER
    }
}

type TestDb = test_db::TestDb<Empty>;

/// A database with one table to write to.
fn test_db() -> TestDb {
    let db = TestDb::new();
    db.execute("CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid())");
    db
}

async fn read(db: &Db) -> Result<(), Fault> {
    db.read(|conn| Ok(conn.batch_execute("SELECT 1")?)).await
}

async fn write(db: &Db) -> Result<(), Fault> {
    db.write(|conn| Ok(conn.batch_execute("INSERT INTO notes DEFAULT VALUES")?)).await
}

async fn fill_the_pool(db: &Db) {
    let slow = || db.read(|conn| Ok(conn.batch_execute("SELECT pg_sleep(0.05)")?));
    for answer in join_all((0..8).map(|_| slow())).await {
        answer.unwrap();
    }
}

#[actix_web::test]
async fn after_every_connection_died_the_very_next_reads_and_writes_succeed() {
    let test_db = test_db();
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
    let test_db = test_db();
    let db = test_db.db();
    let torn = db
        .write(|conn| {
            conn.batch_execute("INSERT INTO notes DEFAULT VALUES")?;
            Ok(conn.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")?)
        })
        .await;
    assert!(matches!(torn, Err(Fault::LostConnection(_))), "{torn:?}");
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM notes"), 0);
    write(&db).await.unwrap();
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM notes"), 1);
}

#[actix_web::test]
async fn a_connection_to_a_server_that_only_reads_is_given_up() {
    let test_db = test_db();
    let db = test_db.db();
    // As a former primary does to its clients after a failover.
    db.read(|conn| Ok(conn.batch_execute("SET default_transaction_read_only = on")?)).await.unwrap();
    assert!(matches!(write(&db).await, Err(Fault::LostConnection(_))));
    write(&db).await.unwrap();
    assert_eq!(test_db.scalar::<i64>("SELECT count(*) FROM notes"), 1);
}

#[actix_web::test]
async fn while_the_database_is_away_everything_is_unavailable_and_then_works_again() {
    let test_db = test_db();
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
async fn after_commit_actions_run_after_the_commit_and_never_without_it() {
    let test_db = test_db();
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
    // Outside a transaction there is no commit to wait for.
    after_commit::run(&mut test_db.connect(), move || tell.send("at once").unwrap());
    let order: Vec<_> = told.iter().collect();
    assert_eq!(order, ["inside", "committed", "inside", "inside", "again", "at once"]);
}

#[actix_web::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_and_not_only_left_behind() {
    let test_db = test_db();
    let settings = PoolSettings {
        statement_timeout: Duration::from_secs(1),
        lock_timeout: Duration::from_secs(1),
        ..PoolSettings::default()
    };
    let db = Db::new(&test_db.url(), settings);
    let slow = |conn: &mut PgConnection| Ok(conn.batch_execute("SELECT pg_sleep(30)")?);
    let faults = [db.read(slow).await, db.write(slow).await];
    for fault in faults {
        let fault = fault.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unavailable(why) if why.text().contains("statement timeout")),
            "we gave up first: {fault}"
        );
    }
    let mut holder = test_db.connect();
    holder.batch_execute("BEGIN; LOCK TABLE notes").unwrap();
    let fault = db.read(|conn| Ok(conn.batch_execute("SELECT FROM notes")?)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unavailable(why) if why.text().contains("timeout")), "{fault}");
}

#[actix_web::test]
async fn a_pool_without_a_database_says_so() {
    let open = test_db();
    let db = Db::shut(PoolSettings::default());
    assert!(matches!(read(&db).await, Err(Fault::Unavailable(_))));
    db.open(&open.url());
    read(&db).await.unwrap();
}
