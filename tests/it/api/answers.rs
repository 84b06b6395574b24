//! Tests what all answers have in common: methods, unknown paths, headers, and the form of faults.

use latchkey::tokens::ApiScope;
use latchkey::web::routes::{self, Method};
use reqwest::Method as HttpMethod;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

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
