//! Upgrading from a version without apps: sessions live on, the first app can be added, and changes are announced on the
//! channel that earlier versions know.

use diesel::connection::SimpleConnection as _;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::Pg;
use diesel_migrations::MigrationHarness as _;
use latchkey::db::migrations;
use uuid::Uuid;

use super::support::{add, add_group, app, for_group};
use crate::front::support::{User, navigation};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::Latchkey;
use crate::support::upstream::{OK, Upstream};

/// The last migration of the versions without apps.
const WITHOUT_APPS: &str = "20261130000019";

/// Goes back to the schema of the last version without apps.
fn forget_apps(server: &TestApp) {
    let mut conn = server.db.connect();
    let all: Vec<Box<dyn Migration<Pg>>> = migrations::ComposedMigrations.migrations().unwrap();
    let newer = all.iter().filter(|one| one.name().version().to_string().as_str() > WITHOUT_APPS);
    for migration in newer.collect::<Vec<_>>().into_iter().rev() {
        conn.revert_migration(migration).unwrap();
    }
    let left: i64 = server.db.scalar(
        "SELECT count(*) FROM pg_tables WHERE tablename IN ('session_keys', 'apps', 'app_origins', 'app_rules', 'app_entries', 'groups', 'group_members')",
    );
    assert_eq!(left, 0);
}

#[actix_web::test]
async fn sessions_from_before_apps_live_on_and_enter_the_first_app_and_end_as_older_versions_end_them() {
    let server = TestApp::spawn();
    let ada = server.ada().await;
    let mary = server.mary().await;
    let before = [server.logged_in(&ada).await, server.logged_in(&ada).await, server.logged_in(&mary).await];
    forget_apps(&server);

    let latchkey = Latchkey::on(&server.db.url());
    let running = latchkey.serve_ready().await;
    running.logged("schema migrated").await;
    let wiki = Upstream::answering(OK);
    let origin = format!("http://wiki.localhost:{}", latchkey.port);
    let mut users: Vec<User> = before
        .iter()
        .map(|browser| {
            let mut at_app = Browser::new(&origin);
            at_app.headers = navigation();
            User { portal: browser.copy_at(&running.origin), at_app }
        })
        .collect();
    for user in &mut users {
        assert!(user.portal.is_in().await);
    }
    let added = latchkey.run(&[
        "app",
        "add",
        "wiki",
        "--upstream",
        &wiki.url(),
        "--origin",
        &origin,
        "--allow",
        "signed-in",
    ]);
    assert_eq!(added.code, Some(0), "{}", added.err);
    for (user, person) in users.iter_mut().zip([&ada, &ada, &mary]) {
        user.enter("/").await.is(200);
        let seen = wiki.received().pop().unwrap();
        assert_eq!(seen.values("remote-user"), [person.id.to_string()]);
    }

    // Statements of a version that knows no apps: it ends one session, then deletes a user.
    let keys = || server.db.scalar::<i64>("SELECT count(*) FROM session_keys");
    assert_eq!(keys(), 3);
    server.db.execute(&format!(
        "UPDATE sessions SET revoked_at = now() WHERE handle = \
         (SELECT handle FROM sessions WHERE principal = '{}' ORDER BY created_at LIMIT 1)",
        ada.id
    ));
    assert_eq!(keys(), 2);
    server.db.execute(&format!(
        "DELETE FROM sessions WHERE principal = '{id}'; DELETE FROM users WHERE id = '{id}'",
        id = mary.id
    ));
    assert_eq!(keys(), 1);
    // They announce it as well.
    let let_in = async |user: &mut User| user.at_app.get("/").await.status;
    crate::support::process::eventually("an end that arrives", async || {
        let told = [let_in(&mut users[0]).await, let_in(&mut users[1]).await, let_in(&mut users[2]).await];
        (told == [302, 200, 302]).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn every_change_of_apps_is_announced_in_a_form_that_earlier_versions_understand() {
    let server = TestApp::spawn();
    let ada = server.ada().await;
    let mut listening = server.db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    let mut heard = || -> Vec<String> {
        listening.batch_execute("SELECT 1").unwrap();
        let all = listening.notifications_iter().map(|one| one.unwrap().payload);
        all.filter(|payload| !payload.contains(' ')).collect()
    };
    add_group(&server.accounts, "staff").await;
    let wiki = latchkey::apps::App { rules: vec![for_group("staff")], ..app("wiki") };
    heard();
    add(&server.accounts, &wiki).await;
    let topic = heard();
    assert_eq!(topic.len(), 1, "one message for a transaction: {topic:?}");
    // Earlier versions read a message of one word as a principal. No user has this id.
    let id: Uuid = topic[0].parse().unwrap();
    assert_ne!(id, ada.id);
    for statement in [
        "UPDATE apps SET name = 'x'",
        "UPDATE app_rules SET note = 'x'",
        "UPDATE app_origins SET origin = 'https://other.example.org', host = 'other.example.org'",
        "DELETE FROM app_rules",
        "DELETE FROM apps",
    ] {
        server.db.execute(statement);
        assert_eq!(heard(), topic, "{statement}");
    }
    server
        .db
        .execute(&format!("INSERT INTO group_members (group_name, user_id) VALUES ('staff', '{}')", ada.id));
    assert_eq!(heard(), [ada.id.to_string()]);
    server.db.execute("UPDATE groups SET note = 'x'");
    assert_eq!(heard(), Vec::<String>::new());
    server.db.execute("UPDATE groups SET name = 'crew'");
    assert_eq!(heard(), [ada.id.to_string()], "renaming a group changes what its members have");
    server.db.execute("DELETE FROM groups");
    assert_eq!(heard(), [ada.id.to_string()]);
}
