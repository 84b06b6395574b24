//! Maintenance: one of the instances purges expired rows in batches, and the audit trail is kept as long as the
//! operator sets.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use latchkey::config::Span;
use latchkey::db::Refusable as _;

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::Latchkey;

const HOUR: Duration = Duration::from_secs(3600);

/// One event for each of these ages in days, oldest first.
fn events(app: &TestApp, days: &[i64]) {
    for ago in days {
        app.db.execute(&format!(
            "INSERT INTO audit_events (at, act, detail) VALUES (now() - interval '{ago} days', 'logged-in', '{ago}')"
        ));
    }
}

fn links(app: &TestApp, count: u32, expires: &str) {
    app.db.execute(&format!(
        "INSERT INTO account_links (token_hash, user_id, purpose, expires_at) \
         SELECT sha256((random() || ' ' || n)::bytea), (SELECT id FROM users), 'unlock', {expires} \
         FROM generate_series(1, {count}) n"
    ));
}

fn count(app: &TestApp, table: &str) -> i64 {
    app.db.scalar(&format!("SELECT count(*) FROM {table}"))
}

#[actix_web::test]
async fn the_trail_is_kept_for_ever_or_for_the_set_time_and_verifies_either_way() {
    let app = TestApp::spawn();
    events(&app, &[400, 90, 61, 59, 1]);
    app.accounts.maintenance.purge().await.unwrap();
    assert_eq!(count(&app, "audit_events"), 5);
    let before = app.accounts.audit.trail_head().await.unwrap();

    let short = app.beside(|settings| settings.audit.keep = Some(Span::days(60)));
    assert_eq!(short.accounts.maintenance.purge().await.unwrap(), 3);
    assert_eq!(
        app.db.scalar::<String>("SELECT string_agg(detail, ' ' ORDER BY id) FROM audit_events"),
        "59 1"
    );
    let intact = app
        .accounts
        .audit
        .verify_trail(Some(before.clone()))
        .await
        .split()
        .unwrap()
        .expect("an unbroken trail");
    assert_eq!((intact.since, intact.links, intact.head == before), (3, 2, true));
    // The next run continues after them.
    events(&app, &[0]);
    assert_eq!(short.accounts.maintenance.purge().await.unwrap(), 0);
    assert_eq!(
        app.accounts
            .audit
            .verify_trail(Some(before))
            .await
            .split()
            .unwrap()
            .expect("an unbroken trail")
            .links,
        3
    );
}

#[actix_web::test]
async fn a_damaged_trail_is_not_purged_and_the_last_month_cannot_be_purged() {
    let app = TestApp::spawn_with(|settings| settings.audit.keep = Some(Span::days(60)));
    events(&app, &[90, 80, 70, 1]);
    app.db.execute(
        "ALTER TABLE audit_events DISABLE TRIGGER refuse; DELETE FROM audit_events WHERE detail = '80'; \
         ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse",
    );
    assert_eq!(app.accounts.maintenance.purge().await.unwrap(), 1);
    assert_eq!(
        app.db.scalar::<String>("SELECT string_agg(detail, ' ' ORDER BY id) FROM audit_events"),
        "70 1"
    );
    assert!(app.accounts.audit.verify_trail(None).await.split().unwrap().is_err());
    let refused = app.db.connect().batch_execute("SELECT audit_forget(interval '29 days', 1000)");
    assert!(refused.unwrap_err().to_string().contains("last 30 days is kept"));
}

#[actix_web::test]
async fn expired_rows_are_purged_in_batches_and_others_stay() {
    let app = TestApp::spawn();
    app.ada().await;
    links(&app, 12_000, "now() - interval '1 minute'");
    links(&app, 7, "now() + interval '1 minute'");
    app.db.execute(
        "CREATE TABLE batches (id serial, size bigint); \
         CREATE FUNCTION record_batch() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO batches (size) SELECT count(*) FROM gone; RETURN NULL; END'; \
         CREATE TRIGGER record_batch AFTER DELETE ON account_links REFERENCING OLD TABLE AS gone \
         FOR EACH STATEMENT EXECUTE FUNCTION record_batch(); \
         INSERT INTO throttles VALUES ('old', 3, now() - interval '25 hours', NULL), \
             ('young', 3, now() - interval '23 hours', NULL), \
             ('blocked', 3, now() - interval '25 hours', now() + interval '1 minute')",
    );
    assert_eq!(app.accounts.maintenance.purge().await.unwrap(), 12_001);
    assert_eq!(count(&app, "account_links"), 7);
    assert_eq!(
        app.db.scalar::<String>("SELECT string_agg(size::text, ' ' ORDER BY id) FROM batches"),
        "5000 5000 2000"
    );
    assert_eq!(
        app.db.scalar::<String>("SELECT string_agg(bucket, ' ' ORDER BY bucket) FROM throttles"),
        "blocked young"
    );
}

#[actix_web::test]
async fn of_many_instances_one_does_it_and_the_others_see_that_it_is_done() {
    let app = TestApp::spawn();
    let other = app.beside(|_| {});
    assert!(app.accounts.maintenance.last_purge().await.unwrap().is_none());
    // While one instance purges, the others skip the purge without waiting.
    app.ada().await;
    links(&app, 3, "now() - interval '1 minute'");
    let mut busy = app.db.connect();
    busy.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('latchkey.tidy'))").unwrap();
    assert_eq!(other.accounts.maintenance.purge_when_due(HOUR).await.unwrap(), Some(0));
    assert_eq!(count(&app, "account_links"), 3);
    assert!(app.accounts.maintenance.last_purge().await.unwrap().is_none(), "what was not done is not noted");
    busy.batch_execute("COMMIT").unwrap();

    assert_eq!(app.accounts.maintenance.purge_when_due(HOUR).await.unwrap(), Some(3));
    assert_eq!(other.accounts.maintenance.purge_when_due(HOUR).await.unwrap(), None);
    let last = other.accounts.maintenance.last_purge().await.unwrap().expect("a note");
    assert!(last.rows == 3 && last.ago < HOUR, "{last:?}");
    app.db.execute("UPDATE upkeep SET ended_at = ended_at - interval '61 minutes'");
    assert_eq!(other.accounts.maintenance.purge_when_due(HOUR).await.unwrap(), Some(0));
    assert_eq!(app.accounts.maintenance.purge_when_due(HOUR).await.unwrap(), None);
}

#[actix_web::test]
async fn a_server_that_starts_does_it_and_so_does_the_command() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let stale = "INSERT INTO registrations (token_hash, email, email_key, name, password_hash, expires_at) \
                 VALUES (sha256('x'), 'ada@example.org', 'ada@example.org', 'Ada', '', now() - interval '1 minute')";
    db.execute(stale);
    let mut running = latchkey.serve_ready().await;
    running.logged("deleted expired rows").await;
    running.kill().await;
    db.execute(stale);
    assert_eq!(
        latchkey.run(&["session", "sweep"]).well(),
        ["0 ended sessions deleted.", "1 other rows deleted or resealed."]
    );
    assert_eq!(db.scalar::<i64>("SELECT rows FROM upkeep WHERE name = 'tidy'"), 1);
    let short = latchkey.with("LATCHKEY__AUDIT__KEEP", "29d").run(&["config"]);
    assert_eq!(short.refused(), "settings: LATCHKEY__AUDIT__KEEP=29d is too short: at least 30d");
}
