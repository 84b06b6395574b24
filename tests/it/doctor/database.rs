//! The doctor on databases that are unreachable, read-only, of another program, half migrated or busy.

use diesel::connection::SimpleConnection as _;

use super::{CHECKS, PASSWORD, SECRET, doctor};
use crate::mail::SilentServer;
use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, eventually};

fn on(db: &TestDb) -> Latchkey {
    Latchkey::on(&db.url()).with("LATCHKEY__SECRET", SECRET)
}

#[actix_web::test]
async fn with_everything_as_it_should_be_there_is_no_problem() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let _running = latchkey.serve_ready().await;
    let settled = async || {
        let said = latchkey.run(&["doctor"]).out;
        (said.contains("1 instance,") && said.contains("0 minutes ago")).then_some(())
    };
    eventually("an instance that listens and has swept", settled).await;
    let found = doctor(&latchkey, &["--url", &latchkey.origin()]);
    assert_eq!(found.code, Some(0));
    assert_eq!(found.checks(), [&CHECKS[..], &["site.cookie", "site.redirect"]].concat());
    found
        .says("database.durability", "ok", "commits are durable")
        .says("database.migrations", "ok", "")
        .says("database.listen", "ok", "notifications arrive")
        .says("sessions.instances", "ok", "1 instance,")
        .says("upkeep.sweep", "ok", "0 minutes ago")
        .says("site.reach", "ok", "the instance answers")
        .says("site.client-address", "ok", "127.0.0.1, through 0 proxies")
        .says("settings.mode", "note", "local mode");
    assert!(found.rows.iter().all(|row| row["level"] == "ok" || row["level"] == "note"), "{:#?}", found.rows);
}

#[actix_web::test]
async fn without_its_database_it_says_so_and_still_looks_at_the_rest() {
    let silent = SilentServer::start();
    for (url, why) in [
        (format!("postgresql://ada:{PASSWORD}@127.0.0.1:9/x"), "refused"),
        (format!("postgresql://ada:{PASSWORD}@127.0.0.1:{}/x", silent.port), "timeout"),
        (format!("host=/nonexistent user=ada password={PASSWORD}"), "No such file"),
    ] {
        let latchkey = Latchkey::on(&url).with("LATCHKEY__SECRET", SECRET);
        let found = doctor(&latchkey, &["--url", "http://127.0.0.1:9"]);
        found
            .says("database.reach", "problem", why)
            .says("audit.trail", "note", "not checked")
            .says("settings.secret", "ok", "")
            .says("mail.server", "note", "mail is off")
            .says("site.reach", "problem", "refused");
        assert!(CHECKS[..25].iter().all(|check| *check == "mail.from" || found.checks().contains(check)));
    }
}

#[actix_web::test]
async fn an_unsuitable_database_is_reported() {
    let db = TestDb::new();
    let name: String = db.scalar("SELECT current_database()::text");
    let found = doctor(&on(&db), &[]);
    // The tests' own server is configured for speed.
    found.says("database.durability", "problem", "fsync, full_page_writes, synchronous_commit off");
    found.says("database.writable", "ok", "").says("database.clock", "ok", "");
    found.says("database.messages", "ok", "in English");
    found.says("sessions.instances", "note", "no instance").says("upkeep.sweep", "note", "never");

    db.execute(&format!(
        "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
             $$SELECT pg_catalog.clock_timestamp() + interval '90 seconds'$$; \
         CREATE FUNCTION current_setting(name text) RETURNS text LANGUAGE sql AS \
             $$SELECT CASE name WHEN 'lc_messages' THEN 'de_DE.UTF-8' ELSE pg_catalog.current_setting(name) END$$; \
         ALTER DATABASE {name} SET search_path = public, pg_catalog; \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001'); \
         ALTER DATABASE {name} SET default_transaction_read_only = on",
    ));
    doctor(&on(&db), &[])
        .says("database.writable", "problem", "read-only")
        .says("database.clock", "warning", "+90.")
        .says("database.messages", "warning", "de_DE.UTF-8")
        .says("database.migrations", "note", "29991231000001");

    let db = TestDb::new();
    db.execute("DROP FUNCTION audit_forget; DROP TABLE upkeep; DELETE FROM __diesel_schema_migrations WHERE version > '20261123'");
    doctor(&on(&db), &[])
        .says("database.migrations", "warning", "not applied yet: 20261123000011")
        .says("upkeep.sweep", "note", "tables are missing")
        .says("audit.trail", "ok", "0 links are intact");
}

#[actix_web::test]
async fn a_locked_table_fails_only_the_checks_that_read_it() {
    let db = TestDb::new();
    let mut busy = db.connect();
    busy.batch_execute("BEGIN; LOCK TABLE outbox, listeners").unwrap();
    doctor(&on(&db), &[])
        .says("sessions.instances", "problem", "lock timeout")
        .says("mail.outbox", "note", "mail is off")
        .says("upkeep.seals", "problem", "lock timeout")
        .says("audit.trail", "ok", "")
        .says("database.latency", "ok", "");
}

#[actix_web::test]
async fn a_role_that_lacks_something_is_told_from_one_that_has_what_it_needs_and_no_more() {
    let db = TestDb::new();
    let role: String = db.scalar("SELECT 'doctor_' || replace(gen_random_uuid()::text, '-', '')");
    let script = std::fs::read_to_string("docs/least-privilege.sql").unwrap().replace("latchkey_app", &role);
    db.execute(&script);
    let latchkey =
        Latchkey::on(&format!("{}&options=-c%20role%3D{role}", db.url())).with("LATCHKEY__SECRET", SECRET);
    let may = doctor(&latchkey, &[]);
    db.execute(&format!("REVOKE DELETE ON sessions FROM {role}; REVOKE SELECT ON users FROM {role}"));
    let may_not = doctor(&latchkey, &[]);
    db.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    may.says("database.rights", "ok", "and no more");
    may_not.says("database.rights", "problem", "delete from sessions; read users");
    doctor(&on(&db), &[]).says("database.rights", "warning", "is a superuser");
}

#[actix_web::test]
async fn an_instance_that_was_killed_is_missed() {
    let db = TestDb::new();
    let latchkey = on(&db);
    let mut killed = latchkey.serve_ready().await;
    let _running = latchkey.on_another_port().serve_ready().await;
    let both = "SELECT count(*) FROM listeners";
    eventually("two instances", async || (db.scalar::<i64>(both) == 2).then_some(())).await;
    doctor(&latchkey, &[]).says("sessions.instances", "ok", "2 instances");
    killed.kill().await;
    doctor(&latchkey, &[]).says("sessions.instances", "warning", "1 of 2 instances do not answer");
    assert_eq!(db.scalar::<i64>(both), 2, "looking changes nothing");
}

#[actix_web::test]
async fn a_secret_that_is_not_this_databases_a_late_sweep_and_a_changed_trail_are_found() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.enrol(&mut browser).await;
    app.accounts.maintenance.purge().await.unwrap();
    let latchkey = Latchkey::on(&app.db.url());
    let healthy = doctor(&latchkey, &[]);
    healthy.says("settings.secret", "warning", "looks like an example").says("upkeep.seals", "ok", "");
    healthy.says("upkeep.sweep", "ok", "").says("audit.trail", "ok", "links are intact");

    app.db.execute(
        "UPDATE upkeep SET ended_at = now() - interval '7 hours'; \
         ALTER TABLE audit_events DISABLE TRIGGER refuse; UPDATE audit_events SET act = 'logged-out' WHERE act = 'logged-in'; \
         UPDATE outbox SET created_at = now() - interval '2 hours', expires_at = now() + interval '1 hour'; \
         INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at) \
             SELECT sha256(n::text::bytea), gen_random_uuid(), 'password', '', '', now() - interval '40 days' \
             FROM generate_series(1, 10000) n",
    );
    let changing = latchkey
        .clone()
        .with("LATCHKEY__SECRET", SECRET)
        .with("LATCHKEY__MAIL__SMTP_URL", "smtp://127.0.0.1:9");
    doctor(&changing, &[])
        .says("upkeep.seals", "problem", "sealed with an unknown secret")
        .says("upkeep.sweep", "warning", "7 hours ago")
        .says("audit.trail", "problem", "changed")
        .says("mail.outbox", "warning", "emails wait")
        .says("sessions.due", "warning", "10000 ended sessions");
    let changing = changing.with("LATCHKEY__SECRET_PREVIOUS", "only-for-tests-0123456789-abcdefghijkl");
    doctor(&changing, &[]).says("upkeep.seals", "note", "still sealed with the previous secret").says(
        "settings.previous",
        "note",
        "30d after the change",
    );
}
