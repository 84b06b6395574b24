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

#[actix_web::test]
async fn the_etag_of_a_group_covers_its_members_and_the_apps_that_name_it() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(&app, &grace).await;
    let path = "/api/v1/groups/staff";
    program.put(path, &json!({})).await.is(201);
    let mut tags = vec![program.get(path).await.etag()];
    let member = |user: &crate::support::app::Person| format!("{path}/members/{}", user.id);
    program.put(&member(&ada), &json!({})).await.is(204);
    tags.push(program.get(path).await.etag());
    // The number of members is the same afterwards.
    program.delete(&member(&ada)).await.is(204);
    program.put(&member(&grace), &json!({})).await.is(204);
    tags.push(program.get(path).await.etag());
    let wiki = json!({
        "origins": ["https://wiki.example.org"],
        "mode": "forward-auth",
        "rules": [{ "all": true, "groups": ["staff"] }],
    });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    tags.push(program.get(path).await.etag());
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[..at].contains(tag), "{at}");
    }
    program.delete("/api/v1/apps/wiki").await.is(204);
    let request = program.request(reqwest::Method::DELETE, path).header("if-match", &tags[0]);
    program.send(request).await.is_problem(412, "changed-since");
    assert_eq!(program.get(path).await.json()["members"], 1);
}

#[actix_web::test]
async fn a_group_has_a_name_that_can_be_part_of_a_url() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    // Clients resolve `..`; the test of names has it.
    for name in ["-", "._-", "__"] {
        program
            .put(&format!("/api/v1/groups/{name}"), &json!({}))
            .await
            .is_problem(422, "invalid-group-name");
    }
}

#[actix_web::test]
async fn of_many_programs_that_add_a_group_one_adds_it_and_none_is_refused() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let token = super::support::token_of(&app, &grace, &[ApiScope::GroupsRead, ApiScope::GroupsWrite]).await;
    for round in 0..5 {
        let path = format!("/api/v1/groups/staff-{round}");
        let puts = (0..6).map(|_| {
            let (mut program, path) = (Program::with(&app, token.text.reveal()), path.clone());
            actix_web::rt::spawn(async move { program.put(&path, &json!({ "note": "x" })).await.status })
        });
        let mut statuses: Vec<u16> = futures_util::future::join_all(puts)
            .await
            .into_iter()
            .map(|status| status.expect("an answer"))
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 201]);
    }
}
