//! Tests groups and their members at the API.

use latchkey::tokens::ApiScope;
use serde_json::json;
use uuid::Uuid;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_group_is_added_changed_listed_and_removed() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::GroupsRead, ApiScope::GroupsWrite]).await;
    for name in ["staff", "a", "wiki-admins"] {
        program.put(&format!("/api/v1/groups/{name}"), &json!({ "note": " for the tests " })).await.is(201);
    }
    let names: Vec<_> =
        program.items("/api/v1/groups", 2).await.into_iter().map(|group| group["name"].clone()).collect();
    assert_eq!(names, ["a", "staff", "wiki-admins"]);
    let shown = program.get("/api/v1/groups/staff").await.is(200).json();
    assert_eq!(shown, json!({ "name": "staff", "note": "for the tests", "members": 0, "used_by": [] }));
    program.put("/api/v1/groups/staff", &json!({ "note": "for the tests" })).await.is(200);
    assert_eq!(app.events("group.changed"), 0);
    program.put("/api/v1/groups/staff", &json!({})).await.is(200);
    assert_eq!(app.events("group.changed"), 1);
    program.delete("/api/v1/groups/staff").await.is(204);
    program.delete("/api/v1/groups/staff").await.is_problem(404, "not-found");
    program.get("/api/v1/groups/Not%20a%20name").await.is_problem(404, "not-found");
    program.put("/api/v1/groups/Staff", &json!({})).await.is_problem(422, "invalid-group-name");
    let long = program.put("/api/v1/groups/staff", &json!({ "note": "x".repeat(401) })).await;
    long.is_problem(422, "note-too-long");
    assert_eq!(long.error().0, "/note");
}

#[actix_web::test]
async fn adding_and_removing_a_member_can_be_repeated() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::of(&app, &grace, &[ApiScope::GroupsRead, ApiScope::GroupsWrite]).await;
    let mut own = Program::of(&app, &ada, &[ApiScope::Me]).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    let member = format!("/api/v1/groups/staff/members/{}", ada.id);
    for _ in 0..2 {
        let put = program.request(reqwest::Method::PUT, &member);
        program.send(put).await.is(204);
        assert_eq!(own.get("/api/v1/me").await.json()["groups"], json!(["staff"]));
    }
    assert_eq!(program.get("/api/v1/groups/staff").await.json()["members"], 1);
    for _ in 0..2 {
        program.delete(&member).await.is(204);
        assert_eq!(own.get("/api/v1/me").await.json()["groups"], json!([]));
    }
    assert_eq!((app.events("group.joined"), app.events("group.left")), (1, 1));
    for path in [
        format!("/api/v1/groups/none/members/{}", ada.id),
        format!("/api/v1/groups/staff/members/{}", Uuid::new_v4()),
        "/api/v1/groups/staff/members/ada".to_owned(),
    ] {
        let put = program.request(reqwest::Method::PUT, &path);
        program.send(put).await.is_problem(404, "not-found");
    }
}

#[actix_web::test]
async fn a_group_that_a_rule_names_cannot_be_removed() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    let wiki = json!({
        "origins": ["https://wiki.example.org"],
        "mode": "forward-auth",
        "rules": [{ "all": true, "groups": ["staff"] }],
    });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    program.delete("/api/v1/groups/staff").await.is_problem(409, "in-use");
    assert_eq!(program.get("/api/v1/groups/staff").await.json()["used_by"], json!(["wiki"]));
}
