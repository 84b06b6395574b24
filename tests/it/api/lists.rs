//! Tests lists: pages, cursors, limits, and what they cost.

use latchkey::tokens::ApiScope;
use serde_json::Value;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;
use crate::support::statements;

/// Adds users who registered at the same time.
fn crowd(app: &TestApp, count: usize) {
    app.db.execute(&format!(
        "INSERT INTO users (email, email_key, name, role, created_at) \
         SELECT e, e, 'User ' || (n % 7), 'member', now() - (n / 10) * interval '1 minute' \
         FROM (SELECT n, 'user' || n || '@example.org' AS e FROM generate_series(1, {count}) n) u"
    ));
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[actix_web::test]
async fn the_pages_make_up_the_whole_list_in_every_order() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    crowd(&app, 57);
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersRead]).await;
    for order in ["", "?order=-created_at", "?order=created_at", "?order=name", "?order=email"] {
        let whole = ids(&program.items(&format!("/api/v1/users{order}"), 200).await);
        assert_eq!(whole.len(), 58);
        for limit in [1, 7, 58] {
            assert_eq!(
                ids(&program.items(&format!("/api/v1/users{order}"), limit).await),
                whole,
                "{order} {limit}"
            );
        }
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 58, "{order}");
    }
}

#[actix_web::test]
async fn added_and_removed_items_do_not_shift_the_pages() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    crowd(&app, 20);
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersRead]).await;
    let whole = ids(&program.items("/api/v1/users?order=email", 200).await);
    let first = program.get("/api/v1/users?order=email&limit=5").await.is(200).json();
    let cursor = first["next"].as_str().expect("a cursor").to_owned();
    app.db.execute(
        "INSERT INTO users (email, email_key, name, role) VALUES ('a@example.org', 'a@example.org', 'A', 'member')",
    );
    app.db.execute(&format!("DELETE FROM users WHERE id = '{}'", whole[4]));
    let second =
        program.get(&format!("/api/v1/users?order=email&limit=5&cursor={cursor}")).await.is(200).json();
    assert_eq!(ids(second["items"].as_array().expect("items")), whole[5..10]);
}

#[actix_web::test]
async fn a_cursor_belongs_to_its_query() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    crowd(&app, 9);
    let mut program = Program::with_all(&app, &grace).await;
    let page = program.get("/api/v1/users?q=user&role=member&limit=2").await.is(200).json();
    let cursor = page["next"].as_str().expect("a cursor").to_owned();
    // Neither the limit nor the order of the parameters is part of the query.
    program.get(&format!("/api/v1/users?limit=5&role=member&cursor={cursor}&q=user")).await.is(200);
    for query in [
        format!("users?cursor={cursor}"),
        format!("users?q=user&cursor={cursor}"),
        format!("users?q=user&role=member&order=name&cursor={cursor}"),
        format!("users?q=other&role=member&cursor={cursor}"),
        format!("sessions?cursor={cursor}"),
        format!("groups?cursor={cursor}"),
        format!("users?q=user&role=member&cursor={cursor}x"),
        format!("users?q=user&role=member&cursor={}", &cursor[1..]),
        "users?cursor=".to_owned(),
        "users?cursor=x.y".to_owned(),
    ] {
        program.get(&format!("/api/v1/{query}")).await.is_problem(400, "foreign-cursor");
    }
}

#[actix_web::test]
async fn a_query_may_have_only_the_documented_parameters() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    for (query, code) in [
        ("users?limit=0", "invalid-limit"),
        ("users?limit=201", "invalid-limit"),
        ("users?limit=-1", "invalid-limit"),
        ("users?limit=1e2", "invalid-limit"),
        ("users?limit=99999999999999999999", "invalid-limit"),
        ("users?limit=", "invalid-limit"),
        ("users?other=1", "unexpected-parameter"),
        ("users?q=a&q=b", "unexpected-parameter"),
        ("users?q=%00", "unexpected-parameter"),
        ("users?q=%ff", "unexpected-parameter"),
        ("users?role=root", "unexpected-parameter"),
        ("users?state=", "unexpected-parameter"),
        ("users?order=id", "unexpected-parameter"),
        ("sessions?user=ada", "unexpected-parameter"),
        ("audit?after=-1", "unexpected-parameter"),
        ("audit?after=x", "unexpected-parameter"),
        ("audit?from=yesterday", "unexpected-parameter"),
        ("audit?limit=201", "invalid-limit"),
        ("groups?q=a", "unexpected-parameter"),
        ("users?group=none", "unknown-group"),
        ("sessions?app=none", "unknown-app"),
        ("audit?act=unheard-of", "unknown-action"),
    ] {
        let answer = program.get(&format!("/api/v1/{query}")).await;
        answer.is_problem(400, code);
    }
    program.get("/api/v1/users?limit=200").await.is(200);
}

#[actix_web::test]
async fn a_list_of_two_hundred_users_is_one_query() {
    statements::record();
    let app = TestApp::spawn();
    let grace = app.grace().await;
    crowd(&app, 250);
    let mut program = Program::of(&app, &grace, &[ApiScope::UsersRead]).await;
    program.get("/api/v1/users?limit=200").await.is(200);
    statements::sent(&app.db.url());
    let page = program.get("/api/v1/users?limit=200").await.is(200).json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(200));
    let mut sent = statements::sent(&app.db.url());
    sent.retain(|statement| statement.starts_with("SELECT") && statement.contains("\"users\""));
    assert_eq!(sent.len(), 1, "{sent:#?}");
}

#[actix_web::test]
async fn a_row_without_parameters_refuses_any_and_changes_nothing() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &serde_json::json!({})).await.is(201);
    for row in latchkey::web::routes::api_table() {
        let path = row
            .path
            .replace("{id}", &grace.id.to_string())
            .replace("{user}", &grace.id.to_string())
            .replace("{handle}", &grace.id.to_string())
            .replace("{slug}", "wiki")
            .replace("{name}", "staff");
        let method: reqwest::Method = row.method.as_str().parse().expect("a method");
        let answer = program.body(method, &format!("{path}?dry_run=true"), "{}").await;
        answer.is_problem(400, "unexpected-parameter");
    }
    program.get("/api/v1/groups/staff?").await.is(200);
    assert_eq!((app.events("group.removed"), app.events("sessions-revoked")), (0, 0));
}
