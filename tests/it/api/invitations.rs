//! Tests invitations at the API.

use latchkey::tokens::ApiScope;
use serde_json::json;
use uuid::Uuid;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

#[actix_web::test]
async fn an_invitation_is_mailed_listed_and_withdrawn() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::Invitations]).await;
    let added = program.post("/api/v1/invitations", &json!({ "email": "alan@example.org" })).await;
    let invitation = added.is(201).json();
    assert_eq!((&invitation["email"], &invitation["state"]), (&json!("alan@example.org"), &json!("waiting")));
    let path = format!("/api/v1/invitations/{}", invitation["id"].as_str().expect("an id"));
    assert_eq!(added.header("location"), Some(&*path));
    let letter = app.letter("alan@example.org", "You're invited to Latchkey").await;
    let token = letter.token();
    assert!(!added.body.contains(&token));
    for number in 0..3 {
        program
            .post("/api/v1/invitations", &json!({ "email": format!("u{number}@example.org") }))
            .await
            .is(201);
    }
    let listed = program.items("/api/v1/invitations", 2).await;
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[3]["id"], invitation["id"]);
    assert_eq!(program.get(&path).await.is(200).json(), invitation);
    assert_eq!(program.get(&path).await.etag(), added.etag());
    program.delete(&path).await.is(204);
    assert_eq!(program.get(&path).await.is(200).json()["state"], "withdrawn");
    program.delete(&path).await.is_problem(409, "invitation-ended");
    assert_eq!(program.items("/api/v1/invitations", 200).await[3]["state"], "withdrawn");
    program.delete(&format!("/api/v1/invitations/{}", Uuid::new_v4())).await.is_problem(404, "not-found");
    for act in ["invited", "invitation-withdrawn"] {
        let actor: String =
            app.db.scalar(&format!("SELECT DISTINCT actor::text FROM audit_events WHERE act = '{act}'"));
        assert_eq!(actor, grace.id.to_string(), "{act}");
    }
}

#[actix_web::test]
async fn an_invitation_is_refused_as_in_the_form() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::Invitations]).await;
    let invalid = program.post("/api/v1/invitations", &json!({ "email": "alan" })).await;
    invalid.is_problem(422, "invalid-email");
    assert_eq!(invalid.error(), ("/email".into(), "invalid-email".into()));
    program.post("/api/v1/invitations", &json!({ "email": grace.email })).await.is_problem(409, "registered");
    program.post("/api/v1/invitations", &json!({})).await.is_problem(422, "unexpected-value");
    assert_eq!(app.events("invited"), 0);
}

#[actix_web::test]
async fn a_stranger_is_invited_only_so_often() {
    let app = TestApp::spawn_with(|settings| settings.throttle.mails_per_hour = 3);
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::Invitations]).await;
    let body = json!({ "email": "alan@example.org" });
    for _ in 0..3 {
        program.post("/api/v1/invitations", &body).await.is(201);
    }
    let refused = program.post("/api/v1/invitations", &body).await;
    refused.is_problem(429, "too-many");
    let wait: u64 = refused.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!(wait > 0 && wait <= 3600, "{wait}");
    assert_eq!(app.count_letters("You're invited to Latchkey").await, 3);
    program.post("/api/v1/invitations", &json!({ "email": "radia@example.org" })).await.is(201);
}
