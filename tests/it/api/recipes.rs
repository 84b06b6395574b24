//! Runs the recipes of docs/api.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use latchkey::tokens::{ApiScope, CreatedToken};
use serde_json::{Value, json};

use super::support::{ApiAnswer as _, Program, token_of};
use crate::support::app::TestApp;
use crate::support::files::root;
use crate::support::process::DataDir;

/// The commands below a heading.
fn commands(heading: &str) -> Vec<String> {
    let guide = fs::read_to_string(root().join("docs/api.md")).expect("the guide");
    let (_, rest) = guide.split_once(&format!("## {heading}\n")).expect("the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    blocks.map(str::to_owned).collect()
}

/// What the recipe prints.
fn run(app: &TestApp, token: &CreatedToken, dir: &DataDir, heading: &str) -> String {
    let function = commands("Send a request").pop().expect("the function");
    let script = format!("{function}\n{}", commands(heading).concat());
    let program =
        Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().expect("a directory").display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").expect("a path"));
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir.path())
        .env("LATCHKEY_URL", &app.origin)
        .env("LATCHKEY_TOKEN", token.text.reveal())
        .env("DATABASE_URL", app.db.url())
        .env("LATCHKEY__SECRET", "only-for-tests-0123456789-abcdefghijkl")
        .env("LATCHKEY__SERVER__PUBLIC_URL", &app.origin)
        .output()
        .expect("bash");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{heading}: {out}{err}");
    out.into_owned()
}

fn folder() -> DataDir {
    let dir = DataDir::new();
    fs::create_dir_all(dir.path()).expect("a folder");
    dir
}

#[actix_web::test]
async fn a_user_is_off_boarded() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut program = Program::with_all(&app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    program.put(&format!("/api/v1/groups/staff/members/{}", ada.id), &json!({})).await.is(204);
    let token =
        token_of(&app, &grace, &[ApiScope::UsersRead, ApiScope::UsersWrite, ApiScope::GroupsWrite]).await;
    let out: Value = serde_json::from_str(&run(&app, &token, &folder(), "Off-board a user")).expect("JSON");
    assert_eq!(out, json!({ "email": ada.email, "disabled": true, "groups": [] }));
    assert!(!browser.is_in().await);
}

#[actix_web::test]
async fn stale_sessions_are_listed() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.logged_in(&grace).await;
    app.db.execute(&format!(
        "UPDATE sessions SET created_at = now() - interval '20 days', confirmed_at = now() - interval '20 days', \
         last_seen_at = now() - interval '15 days' WHERE principal = '{}'",
        ada.id
    ));
    let token = token_of(&app, &grace, &[ApiScope::SessionsRead]).await;
    let out = run(&app, &token, &folder(), "List stale sessions");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains(ada.email) && !out.contains(grace.email), "{out}");
}

#[actix_web::test]
async fn an_app_is_registered() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let token =
        token_of(&app, &grace, &[ApiScope::AppsRead, ApiScope::AppsWrite, ApiScope::GroupsWrite]).await;
    assert_eq!(run(&app, &token, &folder(), "Register an app").trim(), "wiki");
    let wiki = app.accounts.apps.find("wiki").await.expect("an answer").expect("the app");
    assert_eq!((wiki.name.as_str(), wiki.rules.len()), ("Wiki", 2));
}

#[actix_web::test]
async fn the_trail_is_exported_and_continued() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let token = token_of(&app, &grace, &[ApiScope::AuditRead]).await;
    let dir = folder();
    for _ in 0..2 {
        app.logged_in(&ada).await;
        run(&app, &token, &dir, "Export the trail");
        let trail = fs::read_to_string(dir.path().join("trail.ndjson")).expect("the trail");
        let seqs: Vec<i64> = trail
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).expect("an event")["seq"].as_i64().expect("a number")
            })
            .collect();
        let all: i64 = app.db.scalar("SELECT count(*) FROM audit_chain");
        assert_eq!(seqs, (1..=all).collect::<Vec<_>>());
    }
}

#[actix_web::test]
async fn a_token_is_rotated() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let token = token_of(&app, &grace, &[ApiScope::Me, ApiScope::SessionsRead]).await;
    assert_eq!(run(&app, &token, &folder(), "Rotate a token").trim(), "nightly-2");
    Program::with(&app, token.text.reveal()).get("/api/v1/me").await.is_problem(401, "invalid-token");
    let left: String = app.db.scalar("SELECT string_agg(name, ',') FROM tokens");
    assert_eq!(left, "nightly-2");
}
