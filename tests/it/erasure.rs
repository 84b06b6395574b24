//! Only the trail of a deleted user can be erased, regardless of what the serving role tries, in which order, and which
//! transactions run in between. If a role with more rights does it anyway, `latchkey audit verify` names the users.

use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::pg::PgConnection;
use latchkey::audit::Damage;
use latchkey::db::Refusable as _;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::process::Latchkey;

/// The role of docs/least-privilege.sql, with a unique name because roles belong to the whole server.
struct LeastRole<'a> {
    app: &'a TestApp,
    name: String,
}

impl<'a> LeastRole<'a> {
    fn new(app: &'a TestApp) -> Self {
        let name = format!("app_{}", Uuid::new_v4().simple());
        app.db.execute(&include_str!("../../docs/least-privilege.sql").replace("latchkey_app", &name));
        Self { app, name }
    }

    fn connect(&self) -> PgConnection {
        let mut conn = self.app.db.connect();
        conn.batch_execute(&format!("SET SESSION AUTHORIZATION {}", self.name)).unwrap();
        conn
    }
}

impl Drop for LeastRole<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        let _ = self.app.db.connect().batch_execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
    }
}

fn user_row(id: Uuid) -> String {
    format!(
        "INSERT INTO users (id, email, email_key, name) VALUES ('{id}', 'x@example.org', 'x@example.org', 'X')"
    )
}

fn deleted(id: Uuid) -> String {
    format!("INSERT INTO audit_events (act, subject) VALUES ('deleted', '{id}')")
}

fn erase(id: Uuid, email: &str) -> String {
    format!("SELECT audit_erase('{id}', '{email}')")
}

/// Events of `person` that still contain personal data.
fn readable(app: &TestApp, person: &Person) -> i64 {
    app.db.scalar(&format!(
        "SELECT count(*) FROM audit_events WHERE address <> '' AND '{0}' IN (actor, subject)",
        person.id
    ))
}

#[actix_web::test]
async fn the_least_role_cannot_erase_a_user_who_exists_or_comes_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    let (id, email, before) = (ada.id, ada.email, readable(&app, &ada));
    assert!(before > 0);
    let role = LeastRole::new(&app);
    let gone = format!("DELETE FROM users WHERE id = '{id}'");
    let (exists, back) = ("exists", "the id is not used again");
    for (attempt, why) in [
        (vec![deleted(id)], exists),
        (vec![erase(id, email)], exists),
        (vec![gone.clone(), erase(id, email)], "no \"deleted\" event"),
        (vec![deleted(id), erase(id, email)], exists),
        (vec![gone.clone(), deleted(id), erase(id, email), user_row(id)], back),
        (
            vec![
                gone.clone(),
                deleted(id),
                erase(id, email),
                "SET CONSTRAINTS ALL IMMEDIATE".into(),
                user_row(id),
            ],
            back,
        ),
        (
            vec![gone.clone(), deleted(id), "SET CONSTRAINTS ALL IMMEDIATE".into(), erase(id, email)],
            "no \"deleted\" event",
        ),
        (
            vec![gone.clone(), "SAVEPOINT s".into(), deleted(id), "ROLLBACK TO s".into(), erase(id, email)],
            "no \"deleted\" event",
        ),
        (
            vec![
                gone.clone(),
                "SAVEPOINT s".into(),
                deleted(id),
                "RELEASE s".into(),
                erase(id, email),
                user_row(id),
            ],
            back,
        ),
        (vec![gone.clone(), user_row(id), deleted(id)], exists),
        (
            vec![format!("UPDATE users SET id = gen_random_uuid() WHERE id = '{id}'"), deleted(id)],
            "violates foreign key",
        ),
        (
            vec![
                gone.clone(),
                deleted(id),
                erase(id, email),
                user_row(Uuid::new_v4()),
                format!("UPDATE users SET id = '{id}' WHERE email = 'x@example.org'"),
            ],
            "never changes",
        ),
        (vec!["SET LOCAL session_replication_role = replica".into(), deleted(id)], "permission denied"),
    ] {
        let mut conn = role.connect();
        let said =
            conn.batch_execute(&format!("BEGIN; {}; COMMIT", attempt.join("; "))).unwrap_err().to_string();
        assert!(said.contains(why), "{attempt:?}: {said}");
        drop(conn);
        assert_eq!(readable(&app, &ada), before, "{attempt:?}");
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM users WHERE id = '{id}'")), 1);
        app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    }
}

#[actix_web::test]
async fn a_user_deleted_in_one_transaction_is_not_erased_or_restored_in_the_next() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    let before = readable(&app, &ada);
    let role = LeastRole::new(&app);
    let mut conn = role.connect();
    conn.batch_execute(&format!(
        "BEGIN; DELETE FROM users WHERE id = '{}'; {}; COMMIT",
        ada.id,
        deleted(ada.id)
    ))
    .unwrap();
    let why = conn.batch_execute(&erase(ada.id, ada.email)).unwrap_err().to_string();
    assert!(why.contains("in this transaction"), "{why}");
    let why = conn.batch_execute(&user_row(ada.id)).unwrap_err().to_string();
    assert!(why.contains("the id is not used again"), "{why}");
    assert_eq!(readable(&app, &ada), before);
}

/// As versions before these triggers do it, and as this version does.
#[actix_web::test]
async fn the_least_privileged_role_erases_the_deleted_user_and_no_other_address() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, address, detail) VALUES ('invited', '{0}', '192.0.2.1', 'Ada@example.org'), \
         ('invited', '{0}', '192.0.2.1', 'grace@example.org')",
        grace.id
    ));
    let role = LeastRole::new(&app);
    let mut conn = role.connect();
    let invited = "SELECT string_agg(detail, ' ' ORDER BY id) FROM audit_events WHERE act = 'invited'";
    let gone = |email: &str| {
        format!("DELETE FROM users WHERE id = '{}'; {}; {}", ada.id, deleted(ada.id), erase(ada.id, email))
    };
    conn.batch_execute(&format!("BEGIN; {}", gone(grace.email))).unwrap();
    conn.batch_execute("COMMIT").unwrap();
    assert_eq!(app.db.scalar::<String>(invited), "Ada@example.org grace@example.org", "grace is still here");
    assert_eq!(readable(&app, &ada), 0);
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert!(intact.erased > 0);
}

#[actix_web::test]
async fn a_user_who_is_inserted_while_their_id_is_erased_comes_too_late_or_stops_it() {
    for erasing_first in [true, false] {
        let app = TestApp::spawn();
        let (id, db) = (Uuid::new_v4(), &app.db);
        // Such a user and their events existed.
        db.execute(&format!(
            "INSERT INTO audit_events (act, actor, address) VALUES ('logged-in', '{id}', '192.0.2.1')"
        ));
        let erasing = format!("{}; {}", deleted(id), erase(id, "x@example.org"));
        let (first, second) = if erasing_first { (erasing, user_row(id)) } else { (user_row(id), erasing) };
        let mut conn = db.connect();
        conn.batch_execute(&format!("BEGIN; {first}")).unwrap();
        let refused = thread::scope(|scope| {
            let late = scope.spawn(|| db.connect().batch_execute(&format!("BEGIN; {second}; COMMIT")));
            let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            while db.scalar::<i64>(waits) == 0 {
                thread::sleep(Duration::from_millis(5));
            }
            conn.batch_execute("COMMIT").unwrap();
            late.join().unwrap().unwrap_err().to_string()
        });
        let why = if erasing_first { "the id is not used again" } else { "exists" };
        assert!(refused.contains(why), "{refused}");
        let living: i64 = db.scalar(&format!("SELECT count(*) FROM users WHERE id = '{id}'"));
        let erased: i64 = db.scalar("SELECT count(*) FROM audit_chain WHERE salt IS NULL");
        assert_eq!((living, erased), if erasing_first { (0, 1) } else { (1, 0) });
        app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    }
}

#[test]
fn verify_names_users_whose_trail_was_erased_and_who_exist() {
    let app = TestApp::spawn();
    let rt = actix_web::rt::System::new();
    let ada = rt.block_on(app.ada());
    let id = ada.id;
    // As the owner of the tables can: this breaks no link of the chain.
    for statement in [
        format!("INSERT INTO audit_events (act, actor, address) VALUES ('logged-in', '{id}', '192.0.2.1')"),
        "ALTER TABLE audit_events DISABLE TRIGGER deleted_is_gone".to_owned(),
        deleted(id),
        "ALTER TABLE audit_events ENABLE ALWAYS TRIGGER deleted_is_gone".to_owned(),
    ] {
        app.db.execute(&statement);
    }
    app.db.execute(&format!(
        "BEGIN; SET LOCAL latchkey.retention = 'erase'; UPDATE audit_chain SET salt = NULL WHERE event_id IN \
         (SELECT id FROM audit_events WHERE actor = '{id}'); \
         UPDATE audit_events SET address = '', user_agent = '', detail = '' WHERE actor = '{id}'; COMMIT"
    ));
    let event: i64 = app.db.scalar("SELECT id FROM audit_events WHERE act = 'deleted'");
    let broken = rt.block_on(app.accounts.audit.verify_trail(None)).split().unwrap().unwrap_err();
    assert_eq!((broken.damage, broken.event), (Damage::ErasedUserExists, Some(event)));
    let recent = rt.block_on(app.accounts.audit.verify_recent(1)).split().unwrap().unwrap_err();
    assert_eq!(recent, broken);

    let latchkey = Latchkey::on(&app.db.url());
    let ran = latchkey.run(&["audit", "verify"]);
    let said = format!(
        "the audit trail is broken at event {event}: erased, but the user exists: {id} {}",
        ada.email
    );
    assert_eq!(ran.refused(), said);
    let ran = latchkey.run(&["audit", "verify", "--json"]);
    assert_eq!(ran.code, Some(1));
    let said: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!(
        (&said["intact"], &said["event"], &said["users"]),
        (&false.into(), &event.into(), &serde_json::json!([id.to_string()]))
    );
}
