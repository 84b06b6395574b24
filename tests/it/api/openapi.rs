//! Tests the OpenAPI document: it is committed and complete, and its references resolve.

use std::fs;

use latchkey::web::api::openapi::document;
use latchkey::web::routes;
use serde_json::Value;

use super::support::Program;
use crate::support::app::TestApp;
use crate::support::files::root;
use crate::support::generated::check_file;

fn described() -> Value {
    serde_json::from_str(&document(&routes::api_table())).expect("JSON")
}

#[test]
fn the_committed_description_is_that_of_the_program() {
    check_file("docs/openapi.json", &document(&routes::api_table()));
}

#[actix_web::test]
async fn the_description_is_public_and_the_committed_one() {
    let app = TestApp::spawn();
    let answer = Program::stranger(&app).get("/api/v1/openapi.json").await;
    assert_eq!(answer.is(200).header("content-type"), Some("application/json"));
    assert_eq!(answer.body, fs::read_to_string(root().join("docs/openapi.json")).expect("the file"));
}

#[test]
fn every_row_is_described_with_its_scope_and_its_statuses() {
    let described = described();
    for row in routes::api_table() {
        let operation = &described["paths"][row.path][row.method.as_str().to_lowercase()];
        let api = row.operation.expect("an operation");
        assert_eq!(operation["summary"], api.title);
        let scope = operation.pointer("/security/0/token/0").and_then(Value::as_str);
        assert_eq!(scope, api.scope.map(|scope| scope.as_str()), "{}", row.path);
        let responses = operation["responses"].as_object().expect("responses");
        let needed: &[&str] =
            if scope.is_some() { &["401", "403", "429", "500", "503"] } else { &["500", "503"] };
        assert!(needed.iter().all(|status| responses.contains_key(*status)), "{}", row.path);
        let parameters = operation["parameters"].as_array().expect("parameters");
        let in_path = row
            .path
            .split('/')
            .filter(|part| part.starts_with('{'))
            .map(|part| part.trim_matches(['{', '}']));
        for name in in_path {
            assert!(
                parameters.iter().any(|p| p["name"] == name && p["in"] == "path"),
                "{name} of {}",
                row.path
            );
            assert!(responses.contains_key("404"), "{}", row.path);
        }
    }
}

#[test]
fn operation_names_are_unique_and_every_reference_resolves() {
    let described = described();
    let mut names: Vec<&str> = described["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .map(|operation| operation["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), routes::api_table().len());
    assert!(
        names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')),
        "{names:?}"
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), routes::api_table().len());
    let text = described.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(described.pointer(pointer).is_some(), "{pointer}");
    }
}
