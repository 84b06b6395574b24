//! Tests what a program can read and end of its own user: profile, sessions, tokens.

use latchkey::tokens::ApiScope;
use serde_json::json;

use super::support::{ApiAnswer as _, Program, token_of};
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_program_sees_its_user_and_its_token() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = Program::with_all(&app, &grace).await;
    admin.put("/api/v1/groups/staff", &json!({})).await.is(201);
    admin.put(&format!("/api/v1/groups/staff/members/{}", ada.id), &json!({})).await.is(204);
    let token = token_of(&app, &ada, &[ApiScope::Me]).await;
    let me = Program::with(&app, token.text.reveal()).get("/api/v1/me").await.is(200).json();
    assert_eq!(me["id"], ada.id.to_string());
    assert_eq!(
        (&me["name"], &me["email"], &me["role"]),
        (&json!(ada.name), &json!(ada.email), &json!("member"))
    );
    assert_eq!(me["groups"], json!(["staff"]));
    assert_eq!(me["factors"], json!({ "authenticator_app": false, "passkey": false }));
    assert_eq!(me["token"]["id"], token.record.id.to_string());
    assert_eq!(me["token"]["scopes"], json!(["me"]));
    assert!(!me.to_string().contains(token.text.reveal()));
}

#[actix_web::test]
async fn a_program_lists_and_ends_the_sessions_of_its_user_and_of_no_other() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut one, mut other) = (app.logged_in(&ada).await, app.logged_in(&ada).await);
    let mut foreign = app.logged_in(&grace).await;
    let mut program = Program::of(&app, &ada, &[ApiScope::Me]).await;
    let listed = program.get("/api/v1/me/sessions").await.is(200).json();
    let sessions = listed["items"].as_array().expect("items").clone();
    assert_eq!((sessions.len(), &listed["next"]), (2, &json!(null)));
    let handle: String =
        app.db.scalar(&format!("SELECT handle::text FROM sessions WHERE principal = '{}'", grace.id));
    program.delete(&format!("/api/v1/me/sessions/{handle}")).await.is_problem(404, "not-found");
    assert!(foreign.is_in().await);
    let handle = sessions[0]["handle"].as_str().expect("a handle").to_owned();
    program.delete(&format!("/api/v1/me/sessions/{handle}")).await.is(204);
    program.delete(&format!("/api/v1/me/sessions/{handle}")).await.is_problem(404, "not-found");
    assert_eq!([one.is_in().await, other.is_in().await].iter().filter(|is_in| **is_in).count(), 1);
    let actor: String = app.db.scalar("SELECT actor::text FROM audit_events WHERE act = 'session-revoked'");
    assert_eq!(actor, ada.id.to_string());
}

#[actix_web::test]
async fn ending_the_other_sessions_requires_others_true() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut program = Program::of(&app, &ada, &[ApiScope::Me]).await;
    for query in ["", "?others=false", "?others=1", "?others=true&others=true", "?others=true&x=1"] {
        program.delete(&format!("/api/v1/me/sessions{query}")).await.is(400);
    }
    assert!(browser.is_in().await);
    program.delete("/api/v1/me/sessions?others=true").await.is(204);
    assert!(!browser.is_in().await);
    program.get("/api/v1/me").await.is(200);
}

#[actix_web::test]
async fn a_program_lists_and_revokes_the_tokens_of_its_user() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::of(&app, &ada, &[ApiScope::Me]).await;
    let other = token_of(&app, &ada, &[ApiScope::Me]).await;
    let foreign = token_of(&app, &grace, &[ApiScope::Me]).await;
    let listed = program.get("/api/v1/me/tokens").await;
    assert_eq!(listed.is(200).json()["items"].as_array().map(Vec::len), Some(2));
    for token in [&other, &foreign] {
        assert!(!listed.body.contains(token.text.reveal()));
    }
    program.delete(&format!("/api/v1/me/tokens/{}", foreign.record.id)).await.is_problem(404, "not-found");
    program.delete(&format!("/api/v1/me/tokens/{}", other.record.id)).await.is(204);
    Program::with(&app, other.text.reveal()).get("/api/v1/me").await.is_problem(401, "invalid-token");
    Program::with(&app, foreign.text.reveal()).get("/api/v1/me").await.is(200);
}
