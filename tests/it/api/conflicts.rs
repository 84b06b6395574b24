//! Tests ETags: of two changes of the same state, one is made.

use actix_web::rt;
use futures_util::future::join_all;
use latchkey::tokens::ApiScope;
use reqwest::Method;
use serde_json::json;

use super::support::{ApiAnswer as _, Program, token_of};
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_stale_etag_changes_nothing() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({ "note": "one" })).await.is(201);
    let wiki = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    let user = format!("/api/v1/users/{}", ada.id);
    let role = format!("{user}/role");
    let other = json!({ "origins": ["https://w.example.org"], "mode": "forward-auth" }).to_string();
    for (path, method, changed, body) in [
        (user.as_str(), Method::PATCH, user.as_str(), "{\"name\":\"Augusta\"}"),
        (&user, Method::PUT, &role, "{\"role\":\"admin\"}"),
        ("/api/v1/groups/staff", Method::PUT, "/api/v1/groups/staff", "{\"note\":\"two\"}"),
        ("/api/v1/apps/wiki", Method::PUT, "/api/v1/apps/wiki", &*other),
    ] {
        let tag = program.get(path).await.etag();
        let stale = program.body_if(method.clone(), changed, ("if-match", "\"stale\""), body).await;
        stale.is_problem(412, "changed-since");
        assert_eq!(program.get(path).await.etag(), tag, "{path}");
        let fresh = program.body_if(method.clone(), changed, ("if-match", &tag), body).await;
        assert_ne!(fresh.is(200).etag(), tag, "{path}");
        assert_eq!(program.get(path).await.etag(), fresh.etag(), "{path}");
        program.body_if(method, changed, ("if-match", &tag), body).await.is_problem(412, "changed-since");
    }
    for path in ["/api/v1/groups/staff", "/api/v1/apps/wiki"] {
        let tag = program.get(path).await.etag();
        for (header, value) in
            [("if-match", "\"stale\""), ("if-none-match", tag.as_str()), ("if-none-match", "*")]
        {
            let request = program.request(Method::DELETE, path).header(header, value);
            program.send(request).await.is_problem(412, "changed-since");
        }
        let request = program.request(Method::DELETE, path).header("if-match", tag);
        program.send(request).await.is(204);
        program.get(path).await.is(404);
    }
}

#[actix_web::test]
async fn an_item_can_be_added_only_if_it_does_not_exist() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    let (group, wiki) = ("/api/v1/groups/staff", "/api/v1/apps/wiki");
    let app_body = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" }).to_string();
    for (path, body) in [(group, "{}"), (wiki, &app_body)] {
        program.body_if(Method::PUT, path, ("if-match", "*"), body).await.is_problem(412, "changed-since");
        let added = program.body_if(Method::PUT, path, ("if-none-match", "*"), body).await;
        assert_eq!(added.is(201).header("location"), Some(path));
        program
            .body_if(Method::PUT, path, ("if-none-match", "*"), body)
            .await
            .is_problem(412, "changed-since");
        program.body_if(Method::PUT, path, ("if-match", "*"), body).await.is(200);
    }
}

#[actix_web::test]
async fn of_many_changes_with_the_same_etag_one_is_made() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let scopes = [ApiScope::UsersRead, ApiScope::UsersWrite];
    let token = token_of(&app, &grace, &scopes).await;
    let path = format!("/api/v1/users/{}", ada.id);
    let tag = Program::with(&app, token.text.reveal()).get(&path).await.etag();
    let changes = (0..8).map(|number| {
        let mut program = Program::with(&app, token.text.reveal());
        let (path, tag) = (path.clone(), tag.clone());
        rt::spawn(async move {
            let body = json!({ "name": format!("Ada {number}") }).to_string();
            program.body_if(Method::PATCH, &path, ("if-match", &tag), &body).await.status
        })
    });
    let mut statuses: Vec<u16> =
        join_all(changes).await.into_iter().map(|status| status.expect("an answer")).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(app.events("name-changed"), 1);
}

#[actix_web::test]
async fn the_etag_of_a_user_does_not_change_by_itself() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(&app, &grace).await;
    let path = format!("/api/v1/users/{}", ada.id);
    let tag = program.get(&path).await.etag();
    app.logged_in(&ada).await;
    let after = program.get(&path).await;
    assert_eq!(after.json()["sessions"], 1);
    assert_eq!(after.etag(), tag);
}

#[actix_web::test]
async fn an_item_that_the_program_knows_is_not_sent_again() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    let wiki = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    let invited = program.post("/api/v1/invitations", &json!({ "email": "alan@example.org" })).await;
    let invitation = invited.is(201).header("location").expect("a path").to_owned();
    let user = format!("/api/v1/users/{}", grace.id);
    for path in ["/api/v1/me", "/api/v1/groups/staff", "/api/v1/apps/wiki", &user, &invitation] {
        let tag = program.get(path).await.is(200).etag();
        for known in [tag.clone(), format!("W/{tag}"), "*".to_owned(), format!("\"a,b\", {tag}")] {
            let request = program.request(Method::GET, path).header("if-none-match", &known);
            let answer = program.send(request).await;
            assert_eq!((answer.is(304).body.as_str(), answer.etag()), ("", tag.clone()), "{path} {known}");
        }
        let request = program.request(Method::GET, path).header("if-none-match", "\"other\"");
        program.send(request).await.is(200);
        let request = program.request(Method::GET, path).header("if-match", "\"other\"");
        program.send(request).await.is_problem(412, "changed-since");
    }
}

#[actix_web::test]
async fn a_precondition_counts_where_an_item_has_no_etag() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browsers = [app.logged_in(&ada).await, app.logged_in(&grace).await];
    let mut program = Program::with_all(&app, &grace).await;
    let other = token_of(&app, &grace, &[ApiScope::Me]).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    let member = format!("/api/v1/groups/staff/members/{}", ada.id);
    let put = program.request(Method::PUT, &member).header("if-match", "*");
    program.send(put).await.is_problem(412, "changed-since");
    program.send(program.request(Method::PUT, &member).header("if-none-match", "*")).await.is(204);
    let put = program.request(Method::PUT, &member).header("if-none-match", "*");
    program.send(put).await.is_problem(412, "changed-since");
    let handle = |user: uuid::Uuid| -> String {
        app.db.scalar(&format!("SELECT handle::text FROM sessions WHERE principal = '{user}'"))
    };
    let paths = [
        member,
        format!("/api/v1/sessions/{}", handle(ada.id)),
        format!("/api/v1/me/sessions/{}", handle(grace.id)),
        format!("/api/v1/me/tokens/{}", other.record.id),
    ];
    for path in &paths {
        for (header, value) in [("if-match", "\"stale\""), ("if-none-match", "*")] {
            let request = program.request(Method::DELETE, path).header(header, value);
            program.send(request).await.is_problem(412, "changed-since");
        }
    }
    for browser in &mut browsers {
        assert!(browser.is_in().await);
    }
    for path in &paths {
        program.send(program.request(Method::DELETE, path).header("if-match", "*")).await.is(204);
    }
    for browser in &mut browsers {
        assert!(!browser.is_in().await);
    }
    for path in &paths[1..] {
        let request = program.request(Method::DELETE, path).header("if-match", "\"stale\"");
        program.send(request).await.is_problem(404, "not-found");
    }
}
