//! Tests docs/openapi.json with other programs: a validator, a generator of clients, and a generator of requests.
//! bin/test and bin/api-check install them from `tests/openapi`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use actix_web::rt::task::spawn_blocking;
use latchkey::tokens::ApiScope;
use latchkey::web::api::openapi::document;
use latchkey::web::routes::{self, Route};
use serde_json::Value;

use super::support::token_of;
use crate::support::app::TestApp;
use crate::support::files::root;
use crate::support::process::DataDir;

/// The Python environment with `tests/openapi/requirements.txt`.
static PROGRAMS: LazyLock<PathBuf> =
    LazyLock::new(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("openapi-venv").join("bin"));

fn program(name: &str) -> Command {
    let path = PROGRAMS.join(name);
    assert!(path.exists(), "{} is missing: bin/test installs it", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

#[track_caller]
fn succeeds(ran: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    out.into_owned() + &err
}

#[test]
fn the_description_is_valid_openapi() {
    let out = succeeds(
        &program("openapi-spec-validator").arg("docs/openapi.json").output().expect("the validator"),
    );
    assert!(out.contains("OK"), "{out}");
}

#[actix_web::test]
async fn a_generated_client_does_a_round_trip() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let token = token_of(&app, &grace, &ApiScope::ALL).await;
    let dir = DataDir::new();
    let folder = dir.path().join("clients");
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = folder.join("config.yml");
    std::fs::write(&config, "package_name_override: latchkey_client\npost_hooks: []\n")
        .expect("write access");
    let package = folder.join("latchkey_client");
    let mut generate = program("openapi-python-client");
    generate.args([
        "generate",
        "--path",
        "docs/openapi.json",
        "--meta",
        "none",
        "--fail-on-warning",
        "--config",
    ]);
    let out =
        succeeds(&generate.arg(&config).arg("--output-path").arg(&package).output().expect("the generator"));
    assert!(!out.to_lowercase().contains("warning"), "{out}");
    let mut client = program("python");
    client.arg("tests/openapi/round_trip.py").arg(&folder).args([&app.origin, token.text.reveal()]);
    let ran = spawn_blocking(move || client.output()).await.expect("a thread").expect("python");
    succeeds(&ran);
}

/// How many requests to generate.
#[derive(Clone, Copy)]
enum Extent {
    /// A few for each operation; with a token, only for the operations of its scope.
    Few,
    /// As many as fit into so many seconds, for every operation with every token.
    Seconds(u64),
}

/// The names of the operations of a scope.
fn operations(scope: ApiScope) -> Vec<String> {
    let described: Value = serde_json::from_str(&document(&routes::api_table())).expect("JSON");
    let of_scope = |row: &Route| row.operation.is_some_and(|operation| operation.scope == Some(scope));
    let name = |row: Route| {
        let operation = &described["paths"][row.path][row.method.as_str().to_lowercase()];
        operation["operationId"].as_str().expect("a name").to_owned()
    };
    routes::api_table().into_iter().filter(of_scope).map(name).collect()
}

/// Sends generated requests without a token and with a token of each scope.
async fn sends_requests(extent: Extent) {
    // The throttle and the bounds of mail are not under test here.
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.address_free = 10_000_000;
        settings.throttle.asks_per_hour = 10_000_000;
        settings.throttle.mails_per_hour = 10_000_000;
    });
    let (grace, mary) = (app.grace().await, app.mary().await);
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    // Where it keeps what it found.
    let dir = DataDir::new();
    std::fs::create_dir_all(dir.path()).expect("a folder");
    for scope in std::iter::once(None).chain(ApiScope::ALL.map(Some)) {
        let mut requests = program("schemathesis");
        requests.current_dir(dir.path()).arg("run").arg(root().join("docs/openapi.json"));
        requests.args([
            "--url",
            &app.origin,
            "--no-color",
            "--warnings",
            "off",
            "--suppress-health-check",
            "all",
        ]);
        // Not that every text of the documented form is accepted: an address may be taken, a group unknown.
        requests.args(["--checks", CHECKS]);
        match (extent, scope) {
            (Extent::Seconds(seconds), _) => {
                let share = (seconds / 13).max(1).to_string();
                requests.args(["--phases", "coverage,fuzzing", "--max-time", &share]);
            }
            (Extent::Few, None) => {
                requests.args(["--phases", "coverage"]);
            }
            (Extent::Few, Some(scope)) => {
                requests.args(["--phases", "coverage,fuzzing", "--max-examples", "5"]);
                for name in operations(scope) {
                    requests.args(["--include-operation-id", &name]);
                }
            }
        }
        if let Some(scope) = scope {
            let token = token_of(&app, &grace, &[scope]).await;
            requests.args(["--header", &format!("Authorization: Bearer {}", token.text.reveal())]);
        }
        let ran = spawn_blocking(move || requests.output()).await.expect("a thread").expect("schemathesis");
        let out = succeeds(&ran);
        assert!(out.contains("No issues found"), "{scope:?}: {out}");
    }
    app.browser().get("/readyz").await.is(200);
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

#[actix_web::test]
async fn generated_requests_get_documented_answers() {
    sends_requests(Extent::Few).await;
}

#[actix_web::test]
#[ignore = "not a test: bin/api-check runs it for an hour"]
async fn generated_requests_for_a_long_time() {
    let seconds = std::env::var("LATCHKEY_API_CHECK_SECONDS").ok().and_then(|text| text.parse().ok());
    sends_requests(Extent::Seconds(seconds.unwrap_or(3600))).await;
}
