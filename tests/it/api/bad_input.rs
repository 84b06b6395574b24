//! Tests bad input on every row that takes a body: the answer is a documented 4xx, and nothing changes.

use latchkey::web::routes::{self, Method, Route};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

use super::support::{ApiAnswer as _, Program};
use crate::support::app::{Person, TestApp};

/// The rows that take a body, each with a path that exists.
fn rows(ada: &Person) -> Vec<(Route, String)> {
    let takes_body = |row: &Route| {
        matches!(row.method, Method::Post | Method::Put | Method::Patch) && !row.path.contains("{user}")
    };
    let rows = routes::api_table().into_iter().filter(takes_body);
    let path = |row: &Route| {
        row.path.replace("{id}", &ada.id.to_string()).replace("{slug}", "wiki").replace("{name}", "staff")
    };
    let rows: Vec<_> = rows
        .map(|row| {
            let path = path(&row);
            (row, path)
        })
        .collect();
    assert_eq!(rows.len(), 6);
    rows
}

async fn prepared(app: &TestApp) -> (Person, Program) {
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut program = Program::with_all(app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    let wiki = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    (ada, program)
}

/// Without the time of the token's last use.
fn state(app: &TestApp) -> String {
    let lines: Vec<String> =
        app.dump().lines().filter(|line| !line.starts_with("tokens ")).map(str::to_owned).collect();
    lines.join("\n")
}

#[actix_web::test]
async fn a_body_that_is_not_as_documented_changes_nothing() {
    let app = TestApp::spawn();
    let (ada, mut program) = prepared(&app).await;
    let before = state(&app);
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let nested = format!("{{\"rules\":{}}}", "[".repeat(100) + &"]".repeat(100));
    let unfinished = "{\"name\":\"x\"";
    for (row, path) in rows(&ada) {
        let method: reqwest::Method = row.method.as_str().parse().expect("a method");
        for (body, statuses) in [
            ("", &[400][..]),
            ("{", &[400]),
            (unfinished, &[400]),
            ("name=x", &[400]),
            ("{}{}", &[400]),
            ("\u{feff}{}", &[400]),
            ("{\"a\":1e999}", &[400]),
            (&*deep, &[400]),
            ("null", &[422]),
            ("[]", &[422]),
            ("\"x\"", &[422]),
            ("7", &[422]),
            ("{\"unheard_of\":1}", &[422]),
            (&*nested, &[422]),
            ("{\"name\":7,\"note\":7,\"email\":7,\"role\":7,\"path\":7}", &[422]),
            (
                "{\"name\":\"a\",\"name\":\"b\",\"note\":\"a\",\"note\":\"b\",\"email\":\"a\",\"email\":\"b\"}",
                &[422],
            ),
            ("{\"disabled\":\"yes\",\"max_body\":18446744073709551616}", &[422]),
            ("{\"max_in_flight\":4294967296}", &[422]),
            ("{\"note\":\"a\\u0000b\",\"name\":\"a\\u0000b\"}", &[422]),
            ("{\"email\":\"a\\u0007@example.org\"}", &[422]),
        ] {
            let answer = program.body(method.clone(), &path, body).await;
            assert!(
                statuses.contains(&answer.status),
                "{} {path} {body}: {}",
                row.method.as_str(),
                answer.body
            );
            let code = answer.json()["code"].as_str().expect("a code").to_owned();
            answer.is_problem(answer.status, &code);
        }
    }
    assert_eq!(state(&app), before);
}

#[actix_web::test]
async fn only_json_up_to_the_limit_is_accepted() {
    let app = TestApp::spawn();
    let (ada, mut program) = prepared(&app).await;
    let before = state(&app);
    let long = json!({ "note": "x".repeat(70_000) }).to_string();
    for (row, path) in rows(&ada) {
        let method: reqwest::Method = row.method.as_str().parse().expect("a method");
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json5", "text/json", ""]
        {
            let request = program.request(method.clone(), &path).header(CONTENT_TYPE, kind).body("{}");
            program.send(request).await.is_problem(415, "wrong-media-type");
        }
        let request = program.request(method.clone(), &path).body("{}");
        program.send(request).await.is_problem(415, "wrong-media-type");
        let request = program.request(method.clone(), &path).header(CONTENT_TYPE, "application/json");
        let request = request.header(CONTENT_ENCODING, "gzip").body("{}");
        program.send(request).await.is_problem(415, "wrong-media-type");
        program.body(method, &path, &long).await.is_problem(413, "too-large");
    }
    assert_eq!(state(&app), before);
}

#[actix_web::test]
async fn malformed_ids_are_refused_and_change_nothing() {
    let app = TestApp::spawn();
    let (_, mut program) = prepared(&app).await;
    let before = state(&app);
    for row in routes::api_table().into_iter().filter(|row| row.path.contains('{')) {
        for bad in ["x", "%00", "%ff", "..%2f..", "00000000-0000-0000-0000-000000000000", "'%20OR%201=1"] {
            let path: Vec<String> = row
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { bad } else { part }.to_owned())
                .collect();
            let method = row.method.as_str().parse().expect("a method");
            let request = program.request(method, &path.join("/")).header(CONTENT_TYPE, "application/json");
            let answer = program.send(request.body("{}")).await;
            // A name that is valid is added.
            let is_added = answer.status == 201;
            assert!(
                (400..500).contains(&answer.status) || is_added,
                "{:?} {path:?}: {}",
                row.method,
                answer.body
            );
            if is_added {
                program.delete(&path.join("/")).await.is(204);
            }
        }
    }
    let without_trail = |dump: &str| {
        let lines = dump.lines().filter(|line| !line.starts_with("audit_"));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_trail(&state(&app)), without_trail(&before));
}
