//! Tests what all answers have in common: methods, unknown paths, headers, and the form of faults.

use latchkey::config::Span;
use latchkey::tokens::ApiScope;
use latchkey::web::routes::{self, Method};
use reqwest::Method as HttpMethod;
use serde_json::json;

use super::support::{ApiAnswer as _, Program, token_of};
use crate::front::tokens::made_up_token;
use crate::support::app::TestApp;
use crate::support::process::eventually;

#[actix_web::test]
async fn unknown_paths_below_the_api_are_problems() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut program = Program::of(&app, &ada, &[ApiScope::Me]).await;
    for path in ["/api/", "/api/v1", "/api/v2/me", "/api/v1/nothing", "/api/v1/me/", "/api/v1/users/x/y/z"] {
        for method in [HttpMethod::GET, HttpMethod::POST, HttpMethod::DELETE] {
            let request = program.request(method, path).header("origin", "https://evil.example");
            program.send(request).await.is_problem(404, "not-found");
        }
    }
}

#[actix_web::test]
async fn the_wrong_method_is_a_problem_that_names_the_right_ones() {
    let app = TestApp::spawn();
    let mut stranger = Program::stranger(&app);
    let answer = stranger.send(stranger.request(HttpMethod::POST, "/api/v1/me")).await;
    answer.is_problem(405, "wrong-method");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    let users = stranger.send(stranger.request(HttpMethod::PUT, "/api/v1/users/x")).await;
    users.is_problem(405, "wrong-method");
    assert_eq!(users.header("allow"), Some("GET, HEAD, PATCH"));
}

#[actix_web::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    let paths = ["/api/v1/me", "/api/v1/users", "/api/v1/openapi.json", "/api/v1/groups/none"];
    for path in paths.map(str::to_owned).into_iter().chain([format!("/api/v1/users/{}", grace.id)]) {
        let get = program.get(&path).await;
        let head = program.send(program.request(HttpMethod::HEAD, &path)).await;
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[actix_web::test]
async fn no_answer_may_be_cached_or_sets_a_cookie() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    for row in routes::api_table().iter().filter(|row| row.method == Method::Get) {
        let answer = program.get(&row.path.replace("{id}", &grace.id.to_string())).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", row.path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", row.path);
        assert!(answer.header("set-cookie").is_none(), "{}", row.path);
    }
}

#[actix_web::test]
async fn a_fault_is_a_problem_document_without_details() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    program.get("/api/v1/users").await.is(200);
    app.db.execute("ALTER TABLE users RENAME TO elsewhere");
    let broken = program.get("/api/v1/users").await;
    app.db.execute("ALTER TABLE elsewhere RENAME TO users");
    // A missing table is a bug, not an outage.
    let problem = broken.is_problem(500, "fault");
    assert!(!broken.body.contains("relation") && !broken.body.contains("SELECT"), "{problem}");
}

#[actix_web::test]
async fn while_the_database_is_away_every_token_is_told_to_wait_and_none_that_it_is_wrong() {
    let app = TestApp::spawn_with(|settings| settings.pool.checkout_wait = Span::seconds(1));
    let grace = app.grace().await;
    let token = token_of(&app, &grace, &ApiScope::ALL).await;
    let (real, unknown) = (token.text.reveal(), made_up_token(1));
    Program::with(&app, real).get("/api/v1/me").await.is(200);
    let before = app.dump();
    app.db.cut_off();
    eventually("the lease ends", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    let user = format!("/api/v1/users/{}", grace.id);
    for text in [real, &unknown] {
        let mut program = Program::with(&app, text);
        for path in ["/api/v1/me", "/api/v1/users", "/api/v1/audit", &user] {
            let answer = program.get(path).await;
            answer.is_problem(503, "unavailable");
            assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()), "{path}");
            assert!(answer.header("www-authenticate").is_none(), "{path}");
        }
        // The token could not be looked up, so no change has begun.
        program.patch(&user, &json!({ "disabled": true })).await.is_problem(503, "unavailable");
    }
    Program::stranger(&app).get("/api/v1/me").await.is_problem(401, "no-token");
    app.db.restore();
    assert_eq!(app.dump(), before);
    Program::with(&app, real).get("/api/v1/me").await.is(200);
    Program::with(&app, &unknown).get("/api/v1/me").await.is_problem(401, "invalid-token");
}
