//! Tests users at the API: filters, changes, roles, and the events and emails about them.

use latchkey::tokens::ApiScope;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

fn emails(items: &[Value]) -> Vec<&str> {
    items.iter().map(|user| user["email"].as_str().expect("an address")).collect()
}

#[actix_web::test]
async fn users_are_found_by_text_role_group_and_state() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    app.logged_in(&ada).await;
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    program.put(&format!("/api/v1/groups/staff/members/{}", ada.id), &json!({})).await.is(204);
    program.patch(&format!("/api/v1/users/{}", mary.id), &json!({ "disabled": true })).await.is(200);
    for (query, expected) in [
        ("order=email", vec![ada.email, grace.email, mary.email]),
        ("order=name", vec![ada.email, grace.email, mary.email]),
        ("q=LOVE", vec![ada.email]),
        ("q=%25", vec![]),
        ("role=admin", vec![grace.email]),
        ("group=staff", vec![ada.email]),
        ("state=disabled", vec![mary.email]),
        ("state=leaving", vec![]),
        ("state=active&order=email", vec![ada.email, grace.email]),
    ] {
        let found = program.items(&format!("/api/v1/users?{query}"), 200).await;
        assert_eq!(emails(&found), expected, "{query}");
    }
    for query in ["group=Not%20a%20name", "group=none"] {
        program.get(&format!("/api/v1/users?{query}")).await.is_problem(400, "unknown-group");
    }
    let user = program.get(&format!("/api/v1/users/{}", ada.id)).await.is(200).json();
    assert_eq!((&user["sessions"], &user["groups"]), (&json!(1), &json!(["staff"])));
    assert!(user["last_login_at"].is_string() && user["created_at"].as_str().unwrap().ends_with('Z'));
    program.get(&format!("/api/v1/users/{}", Uuid::new_v4())).await.is_problem(404, "not-found");
    program.get("/api/v1/users/ada").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn a_user_is_renamed_and_disabled_in_one_change_with_the_tokens_user_as_actor() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut own = Program::of(&app, &ada, &[ApiScope::Me]).await;
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersRead, ApiScope::UsersWrite]).await;
    let path = format!("/api/v1/users/{}", ada.id);
    let change = json!({ "name": "  Augusta Ada King ", "disabled": true });
    let changed = program.patch(&path, &change).await;
    assert_eq!(changed.is(200).json()["name"], "Augusta Ada King");
    assert_eq!(changed.json()["disabled"], true);
    assert_eq!(changed.etag(), program.get(&path).await.etag());
    assert!(!browser.is_in().await);
    own.get("/api/v1/me").await.is_problem(401, "invalid-token");
    for act in ["name-changed", "disabled"] {
        let actor: String =
            app.db.scalar(&format!("SELECT actor::text FROM audit_events WHERE act = '{act}'"));
        assert_eq!(actor, grace.id.to_string(), "{act}");
    }
    program.patch(&path, &json!({})).await.is(200);
    program.patch(&path, &json!({ "disabled": null, "name": null })).await.is(200);
    assert_eq!((app.events("disabled"), app.events("name-changed")), (1, 1));
    program.patch(&path, &json!({ "disabled": false })).await.is(200);
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn a_name_is_validated_as_in_the_form() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(&app, &grace).await;
    for (name, code) in [("", "empty"), ("https://evil.example", "link"), (&*"x".repeat(81), "too-long")] {
        let change = json!({ "name": name, "disabled": true });
        let answer = program.patch(&format!("/api/v1/users/{}", ada.id), &change).await;
        answer.is_problem(422, code);
        assert_eq!(answer.error(), ("/name".into(), code.into()));
    }
    assert_eq!(app.events("disabled"), 0);
}

#[actix_web::test]
async fn the_last_administrator_cannot_be_demoted() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(&app, &grace).await;
    let (user, role) = (format!("/api/v1/users/{}", grace.id), format!("/api/v1/users/{}/role", grace.id));
    program.put(&role, &json!({ "role": "member" })).await.is_problem(409, "last-admin");
    program.patch(&user, &json!({ "disabled": true })).await.is_problem(409, "last-admin");
    program.patch(&user, &json!({ "name": "Rear Admiral", "disabled": true })).await.is(409);
    assert_eq!(program.get(&user).await.json()["name"], grace.name);
    program.put(&format!("/api/v1/users/{}/role", ada.id), &json!({ "role": "admin" })).await.is(200);
    program.put(&role, &json!({ "role": "member" })).await.is(200);
    assert_eq!(app.events("role-changed"), 2);
}

#[actix_web::test]
async fn a_change_of_a_role_is_mailed_to_every_administrator() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    let mut program = Program::of(&app, &grace, &[ApiScope::RolesWrite]).await;
    let mut reader = Program::with_all(&app, &mary).await;
    let subject = "A program changed a role";
    let path = format!("/api/v1/users/{}/role", ada.id);
    // Without the scope `users:read`, the answer does not show the user.
    let changed = program.put(&path, &json!({ "role": "admin" })).await;
    assert_eq!(
        (changed.is(204).body.as_str(), changed.etag()),
        ("", reader.get(&path.replace("/role", "")).await.etag())
    );
    assert_eq!(app.count_letters(subject).await, 3);
    let letter = app.letter(mary.email, subject).await;
    assert!(letter.text.contains(ada.email) && letter.text.contains(grace.email), "{}", letter.text);
    // Setting the same role again changes nothing and sends no email.
    program.put(&path, &json!({ "role": "admin" })).await.is(204);
    assert_eq!((app.count_letters(subject).await, app.events("role-changed")), (3, 1));
    program.put(&path, &json!({ "role": "root" })).await.is_problem(422, "unexpected-value");
    program.put(&format!("/api/v1/users/{}/role", Uuid::new_v4()), &json!({ "role": "admin" })).await.is(404);
    // The administrator who is demoted is told as well.
    program.put(&path, &json!({ "role": "member" })).await.is(204);
    assert_eq!(app.count_letters(subject).await, 6);
    let letters = app.letters().await;
    assert_eq!(
        letters.iter().filter(|letter| letter.subject == subject && letter.to == ada.email).count(),
        2
    );
}

#[actix_web::test]
async fn disabling_and_enabling_an_administrator_is_mailed_to_every_administrator() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersWrite]).await;
    let path = format!("/api/v1/users/{}", mary.id);
    for (disabled, subject) in
        [(true, "A program disabled an administrator"), (false, "A program enabled an administrator")]
    {
        for _ in 0..2 {
            program.patch(&path, &json!({ "disabled": disabled })).await.is(204);
            assert_eq!(app.count_letters(subject).await, 2);
        }
        for to in [grace.email, mary.email] {
            let letter = app.letter(to, subject).await;
            assert!(letter.text.contains(mary.email) && letter.text.contains(grace.email), "{}", letter.text);
        }
    }
    let before = app.letters().await.len();
    program.patch(&format!("/api/v1/users/{}", ada.id), &json!({ "disabled": true })).await.is(204);
    assert_eq!(app.letters().await.len(), before, "a member");
}

#[actix_web::test]
async fn a_disabled_users_tokens_end_and_a_lowered_role_ends_those_that_need_it() {
    let app = TestApp::spawn();
    let (grace, mary) = (app.grace().await, app.mary().await);
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    let mut program = Program::with_all(&app, &grace).await;
    let (mut own, mut of_role) = (
        Program::of(&app, &mary, &[ApiScope::Me]).await,
        Program::of(&app, &mary, &[ApiScope::UsersRead]).await,
    );
    let path = format!("/api/v1/users/{}", mary.id);
    for role in ["member", "admin"] {
        program.put(&format!("{path}/role"), &json!({ "role": role })).await.is(200);
        own.get("/api/v1/me").await.is(200);
        of_role.get("/api/v1/users").await.is_problem(401, "invalid-token");
    }
    for disabled in [true, false] {
        program.patch(&path, &json!({ "disabled": disabled })).await.is(200);
        own.get("/api/v1/me").await.is_problem(401, "invalid-token");
    }
    assert_eq!(app.events("token.revoked"), 2);
}

#[actix_web::test]
async fn the_sessions_of_a_user_end_everywhere() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browsers = [app.logged_in(&ada).await, app.logged_in(&ada).await];
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersWrite]).await;
    let stale = program
        .request(Method::DELETE, &format!("/api/v1/users/{}/sessions", ada.id))
        .header("if-match", "\"stale\"");
    program.send(stale).await.is_problem(412, "changed-since");
    assert_eq!(app.events("sessions-revoked"), 0);
    program.delete(&format!("/api/v1/users/{}/sessions", ada.id)).await.is(204);
    for browser in &mut browsers {
        assert!(!browser.is_in().await);
    }
    program.delete(&format!("/api/v1/users/{}/sessions", ada.id)).await.is(204);
    program.delete(&format!("/api/v1/users/{}/sessions", Uuid::new_v4())).await.is_problem(404, "not-found");
    assert_eq!(app.events("sessions-revoked"), 1);
}
