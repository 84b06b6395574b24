//! Tests admission: every row with tokens of every scope, without a token, and with cookies.

use latchkey::tokens::{ApiScope, RequestedScopes, TokenText};
use latchkey::web::routes::{self, Route};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use uuid::Uuid;

use super::support::{ApiAnswer as _, Program, token_of, token_with};
use crate::front::tokens::made_up_token;
use crate::support::app::TestApp;
use crate::support::browser::Answer;

/// The rows of the API that need a token, each with its scope.
fn rows() -> Vec<(Route, ApiScope)> {
    let rows = routes::api_table().into_iter();
    let rows: Vec<_> =
        rows.filter_map(|row| Some((row.operation?.scope?, row))).map(|(s, r)| (r, s)).collect();
    assert!(rows.len() > 25);
    rows
}

/// The path of a row with ids that do not exist.
fn filled(path: &str) -> String {
    let id = Uuid::new_v4().to_string();
    path.split('/').map(|part| if part.starts_with('{') { &id } else { part }).collect::<Vec<_>>().join("/")
}

/// Sends a request that changes nothing: without a body and a query, for ids that do not exist.
async fn ask(program: &mut Program, row: &Route) -> Answer {
    let method = row.method.as_str().parse().expect("a method");
    program.send(program.request(method, &filled(row.path))).await
}

#[actix_web::test]
async fn a_token_opens_exactly_the_rows_of_its_scope() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut seen = 0;
    for held in ApiScope::ALL {
        let mut program = Program::of(&app, &grace, &[held]).await;
        for (row, needed) in rows() {
            let answer = ask(&mut program, &row).await;
            let place = format!("{:?} {} with {}", row.method, row.path, held.as_str());
            assert!(answer.status < 500, "{place}: {}", answer.body);
            if held == needed {
                assert!(![401, 403].contains(&answer.status), "{place}: {}", answer.body);
                seen += 1;
                continue;
            }
            let problem = answer.is_problem(403, "insufficient_scope");
            assert_eq!(problem["scope"], needed.as_str(), "{place}");
            let challenge = answer.header(WWW_AUTHENTICATE.as_str()).expect("a challenge");
            assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""));
            assert!(challenge.contains(&format!("scope=\"{}\"", needed.as_str())), "{challenge}");
        }
    }
    assert_eq!(seen, rows().len());
}

#[actix_web::test]
async fn without_a_token_every_row_is_401_and_a_session_changes_nothing() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut stranger = Program::stranger(&app);
    let mut with_cookie = Program::stranger(&app);
    with_cookie.browser = app.logged_in(&grace).await;
    for (row, _) in rows() {
        for program in [&mut stranger, &mut with_cookie] {
            let answer = ask(program, &row).await;
            answer.is_problem(401, "no-token");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"latchkey\""));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.header("set-cookie").is_none() && answer.header("location").is_none());
        }
    }
    assert!(with_cookie.browser.is_in().await);
}

#[actix_web::test]
async fn a_request_with_a_token_and_a_cookie_is_judged_by_the_token() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let token = token_of(&app, &ada, &[ApiScope::Me]).await;
    let mut program = Program::with(&app, token.text.reveal());
    program.browser.cookies = app.logged_in(&grace).await.cookies;
    assert_eq!(program.get("/api/v1/me").await.is(200).json()["email"], ada.email);
    program.get("/api/v1/users").await.is_problem(403, "insufficient_scope");
}

#[actix_web::test]
async fn anything_but_a_live_token_is_401() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let revoked = token_of(&app, &ada, &[ApiScope::Me]).await;
    app.accounts
        .tokens
        .revoke(None, revoked.record.id, latchkey::identity::Client::operator())
        .await
        .unwrap();
    let expired = token_of(&app, &ada, &[ApiScope::Me]).await;
    app.db.execute(&format!(
        "UPDATE tokens SET created_at = now() - interval '2 days', expires_at = now() - interval '1 second' WHERE id = '{}'",
        expired.record.id
    ));
    let live = token_of(&app, &ada, &[ApiScope::Me]).await;
    let mistyped = format!("{}A", &live.text.reveal()[..TokenText::CHARS - 1]);
    let short = live.text.reveal()[1..].to_owned();
    for text in [revoked.text.reveal(), expired.text.reveal(), &mistyped, &short, "x", "lk_"] {
        let answer = Program::with(&app, text).get("/api/v1/me").await;
        // The last character may be the right one.
        if text != live.text.reveal() {
            answer.is_problem(401, "invalid-token");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
    }
    let mut stranger = Program::stranger(&app);
    for value in [format!("Basic {}", live.text.reveal()), live.text.reveal().to_owned(), "Bearer".into()] {
        let request = stranger.request(reqwest::Method::GET, "/api/v1/me").header(AUTHORIZATION, value);
        stranger.send(request).await.is_problem(401, "no-token");
    }
    let twice = stranger.request(reqwest::Method::GET, "/api/v1/me");
    let bearer = format!("Bearer {}", live.text.reveal());
    stranger.send(twice.header(AUTHORIZATION, &bearer).header(AUTHORIZATION, &bearer)).await.is(401);
    Program::with(&app, live.text.reveal()).get("/api/v1/me").await.is(200);
}

#[actix_web::test]
async fn a_token_for_an_app_opens_nothing_at_the_api() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::with_all(&app, &grace).await;
    let wiki = serde_json::json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    let scopes = RequestedScopes::parse(["app:wiki"]).expect("a scope");
    let token = token_with(&app, &grace, scopes).await;
    let mut phone = Program::with(&app, token.text.reveal());
    for (row, needed) in rows() {
        assert_eq!(
            ask(&mut phone, &row).await.is_problem(403, "insufficient_scope")["scope"],
            needed.as_str()
        );
    }
}

#[actix_web::test]
async fn a_token_works_only_as_far_as_the_role_of_its_user() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut own = Program::with_all(&app, &grace).await;
    let mut program = Program::with_all(&app, &grace).await;
    program
        .put(&format!("/api/v1/users/{}/role", ada.id), &serde_json::json!({ "role": "admin" }))
        .await
        .is(200);
    own.get("/api/v1/users").await.is(200);
    program
        .put(&format!("/api/v1/users/{}/role", grace.id), &serde_json::json!({ "role": "member" }))
        .await
        .is(200);
    for (row, needed) in rows() {
        if needed != ApiScope::Me {
            let answer = ask(&mut own, &row).await;
            assert!([401, 403].contains(&answer.status), "{} {}", row.path, answer.body);
        }
    }
}

#[actix_web::test]
async fn too_many_guesses_are_429_and_live_tokens_still_work() {
    let app = TestApp::spawn_with(|settings| settings.throttle.address_free = 3);
    let ada = app.ada().await;
    let mut live = Program::of(&app, &ada, &[ApiScope::Me]).await;
    let mut statuses = Vec::new();
    for number in 0..6 {
        let answer = Program::with(&app, &made_up_token(number)).get("/api/v1/me").await;
        statuses.push(answer.status);
        if answer.status == 429 {
            answer.is_problem(429, "too-many");
            let wait: u64 = answer.header("retry-after").expect("a wait").parse().expect("seconds");
            assert!(wait > 0);
        }
    }
    assert!(statuses.contains(&401) && statuses.last() == Some(&429), "{statuses:?}");
    live.get("/api/v1/me").await.is(200);
}

#[actix_web::test]
async fn no_answer_allows_requests_of_other_sites() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut program = Program::of(&app, &ada, &[ApiScope::Me]).await;
    let preflight = program
        .request(reqwest::Method::OPTIONS, "/api/v1/me")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let answers = [
        program.send(preflight).await,
        program
            .send(
                program.request(reqwest::Method::GET, "/api/v1/me").header("origin", "https://evil.example"),
            )
            .await,
    ];
    assert_eq!(answers[0].status, 405);
    for answer in answers {
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
    }
}
