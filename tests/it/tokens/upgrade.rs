//! Upgrading from a version without tokens, which then runs beside this one.

use diesel::connection::SimpleConnection as _;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::Pg;
use diesel_migrations::MigrationHarness as _;
use latchkey::db::migrations;
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::process::{Latchkey, eventually};

/// The last migration of the versions without tokens.
const WITHOUT_TOKENS: &str = "20261130000021";

#[actix_web::test]
async fn sessions_from_before_the_migration_continue_and_create_tokens() {
    let server = TestApp::spawn();
    let ada = server.ada().await;
    let before = server.logged_in(&ada).await;
    let mut conn = server.db.connect();
    let all: Vec<Box<dyn Migration<Pg>>> = migrations::ComposedMigrations.migrations().unwrap();
    let newer = all.iter().filter(|one| one.name().version().to_string().as_str() > WITHOUT_TOKENS);
    for migration in newer.collect::<Vec<_>>().into_iter().rev() {
        conn.revert_migration(migration).unwrap();
    }
    assert!(!server.db.scalar::<bool>("SELECT to_regclass('tokens') IS NOT NULL"));

    let latchkey = Latchkey::on(&server.db.url());
    let running = latchkey.serve_ready().await;
    running.logged("schema migrated").await;
    let mut browser = before.copy_at(&running.origin);
    assert!(browser.is_in().await);
    let text = crate::support::tokens::create_token(&mut browser, "Backup", &[("me", "1")]).await;
    assert!(server.accepts(&text).await);
}

#[actix_web::test]
async fn changes_of_a_user_by_an_older_version_apply_to_the_tokens() {
    let server = TestApp::spawn();
    let (ada, mary, grace) = (server.ada().await, server.mary().await, server.grace().await);
    let created = [
        server.token(&ada, &["me"]).await,
        server.token(&mary, &["me"]).await,
        server.token(&grace, &["me", "users:read"]).await,
    ];
    let mut listening = server.db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    for token in &created {
        assert!(server.accepts(token.text.reveal()).await);
    }
    // Its statements do not mention tokens.
    server.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", ada.id));
    server.db.execute(&format!("DELETE FROM users WHERE id = '{}'", mary.id));
    server.db.execute(&format!("UPDATE users SET role = 'member' WHERE id = '{}'", grace.id));
    eventually("an end that arrives", async || {
        let [of_disabled, of_deleted, of_demoted] =
            [&created[0], &created[1], &created[2]].map(|token| token.text.reveal());
        let demoted = server.find_token(of_demoted).await.expect("a token");
        let is_over = !server.accepts(of_disabled).await && !server.accepts(of_deleted).await;
        (is_over && !demoted.allows(latchkey::tokens::ApiScope::UsersRead)).then_some(())
    })
    .await;
    // It reads each message of one word as a principal.
    listening.batch_execute("SELECT 1").unwrap();
    let heard: Vec<Uuid> = listening
        .notifications_iter()
        .map(|one| one.unwrap().payload)
        .filter(|payload| !payload.contains(' '))
        .map(|payload| payload.parse().unwrap())
        .collect();
    for person in [&ada, &mary, &grace] {
        assert!(heard.contains(&person.id), "{heard:?}");
    }
}
