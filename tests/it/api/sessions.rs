//! Tests the sessions of all users at the API.

use latchkey::tokens::ApiScope;
use serde_json::json;
use uuid::Uuid;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

#[actix_web::test]
async fn sessions_are_listed_by_user_and_ended_one_by_one() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browsers = Vec::new();
    for _ in 0..5 {
        browsers.push(app.logged_in(&ada).await);
    }
    app.logged_in(&grace).await;
    let scopes = [ApiScope::SessionsRead, ApiScope::SessionsWrite];
    let mut program = Program::of(&app, &grace, &scopes).await;
    let all = program.items("/api/v1/sessions", 2).await;
    assert_eq!(all.len(), 6);
    assert_eq!(all[0]["user"]["email"], grace.email);
    let of_ada = program.items(&format!("/api/v1/sessions?user={}", ada.id), 2).await;
    assert_eq!(of_ada.len(), 5);
    assert!(of_ada.iter().all(|session| session["user"]["id"] == ada.id.to_string()));
    assert_eq!((&of_ada[0]["login"], &of_ada[0]["apps"]), (&json!("password"), &json!([])));
    let path = format!("/api/v1/sessions/{}", of_ada[0]["handle"].as_str().expect("a handle"));
    program.delete(&path).await.is(204);
    program.delete(&path).await.is_problem(404, "not-found");
    let mut is_in = 0;
    for browser in &mut browsers {
        is_in += usize::from(browser.is_in().await);
    }
    assert_eq!(is_in, 4);
    program.delete(&format!("/api/v1/sessions/{}", Uuid::new_v4())).await.is_problem(404, "not-found");
    let actor: String = app.db.scalar("SELECT actor::text FROM audit_events WHERE act = 'session-revoked'");
    assert_eq!(actor, grace.id.to_string());
}

#[actix_web::test]
async fn sessions_are_listed_by_app() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.logged_in(&grace).await;
    let mut program = Program::with_all(&app, &grace).await;
    let wiki = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    app.db.execute(&format!(
        "INSERT INTO session_keys (key_hash, session, scope, origin, proved_at, created_at, last_seen_at) \
         SELECT sha256(s.handle::text::bytea), s.handle, a.id, 'https://wiki.example.org', now(), now(), now() \
         FROM sessions s, apps a WHERE s.principal = '{}'",
        ada.id
    ));
    let found = program.items("/api/v1/sessions?app=wiki", 200).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["user"]["email"], &found[0]["apps"]), (&json!(ada.email), &json!(["wiki"])));
    program.get("/api/v1/sessions?app=none").await.is_problem(400, "unknown-app");
}
