//! The reference of the API for people: the OpenAPI document as a page.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::db::Fault;
use crate::web::copy::problem_codes::PROBLEM_CODES;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    page: Page,
    description: String,
    sections: Vec<ApiSection>,
    types: Vec<ApiType>,
    /// Each code of a problem, and when it is sent.
    codes: &'static [(&'static str, &'static str)],
}

/// The operations of one resource.
struct ApiSection {
    name: String,
    operations: Vec<ApiOperationView>,
}

struct ApiOperationView {
    id: String,
    title: String,
    method: String,
    path: String,
    scope: Option<String>,
    parameters: Vec<ApiField>,
    /// The name of the type of the body.
    body: Option<String>,
    answers: Vec<ApiAnswerView>,
    example: String,
}

struct ApiAnswerView {
    status: String,
    text: String,
    /// The name of the type of the answer.
    kind: Option<String>,
}

struct ApiType {
    name: String,
    text: String,
    fields: Vec<ApiField>,
    choices: Vec<String>,
}

struct ApiField {
    name: String,
    kind: String,
    text: String,
}

/// The parts of the document that the page shows.
#[derive(Deserialize)]
struct OpenApiDocument {
    info: Value,
    tags: Vec<Value>,
    paths: BTreeMap<String, BTreeMap<String, Value>>,
    components: OpenApiComponents,
}

#[derive(Deserialize)]
struct OpenApiComponents {
    schemas: BTreeMap<String, Value>,
}

pub async fn index(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let document: OpenApiDocument = serde_json::from_slice(&ctx.shared.openapi).map_err(Fault::bug)?;
    let origin = ctx.shared.public.as_str();
    let sections = document.tags.iter().map(|tag| ApiSection {
        name: text(&tag["name"]),
        operations: operations(&document, &tag["name"], origin),
    });
    page::ok(&ApiPage {
        page: ctx.page(),
        description: text(&document.info["description"]),
        sections: sections.collect(),
        types: document.components.schemas.iter().map(|(name, schema)| api_type(name, schema)).collect(),
        codes: PROBLEM_CODES,
    })
}

fn operations(document: &OpenApiDocument, tag: &Value, origin: &str) -> Vec<ApiOperationView> {
    let all = document.paths.iter().flat_map(|(path, methods)| {
        methods.iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(|(.., operation)| operation["tags"][0] == *tag)
        .map(|(path, method, operation)| {
            let body = operation.pointer("/requestBody/content/application~1json/schema").map(kind);
            let method = method.to_ascii_uppercase();
            let scope = operation.pointer("/security/0/token/0").map(text);
            ApiOperationView {
                id: text(&operation["operationId"]),
                title: text(&operation["summary"]),
                example: example(origin, &method, path, scope.is_some(), body.is_some()),
                method,
                path: path.to_owned(),
                scope,
                parameters: items(&operation["parameters"]).iter().map(parameter).collect(),
                body,
                answers: answers(&operation["responses"]),
            }
        })
        .collect()
}

/// A command that can be pasted, once the parameters in braces are replaced.
fn example(origin: &str, method: &str, path: &str, needs_token: bool, has_body: bool) -> String {
    let mut command = "curl".to_owned();
    if method != "GET" {
        command += &format!(" -X {method}");
    }
    if needs_token {
        command += " -H \"Authorization: Bearer $LATCHKEY_TOKEN\"";
    }
    if has_body {
        command += " --json @body.json";
    }
    format!("{command} '{origin}{path}'")
}

fn parameter(parameter: &Value) -> ApiField {
    let place = text(&parameter["in"]);
    ApiField {
        name: text(&parameter["name"]),
        kind: format!("{place}, {}", kind(&parameter["schema"])),
        text: text(&parameter["description"]),
    }
}

fn answers(responses: &Value) -> Vec<ApiAnswerView> {
    let answers = responses.as_object().into_iter().flatten();
    answers
        .map(|(status, answer)| ApiAnswerView {
            status: status.clone(),
            text: text(&answer["description"]),
            kind: answer.pointer("/content/application~1json/schema/$ref").map(|name| reference(&text(name))),
        })
        .collect()
}

fn api_type(name: &str, schema: &Value) -> ApiType {
    let fields = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| ApiField {
        name: name.clone(),
        kind: kind(field),
        text: text(&field["description"]),
    });
    ApiType {
        name: name.to_owned(),
        text: text(&schema["description"]),
        fields: fields.collect(),
        choices: items(&schema["enum"]).iter().map(text).collect(),
    }
}

/// The type of a value in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return reference(name);
    }
    let alternatives = items(&schema["oneOf"]);
    if !alternatives.is_empty() {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let choices = items(&schema["enum"]);
    if !choices.is_empty() {
        return choices.iter().map(text).collect::<Vec<_>>().join(" or ");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        other => text(other),
    };
    match (kinds.as_str(), schema["format"].as_str()) {
        ("", _) => "any value".to_owned(),
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        (_, Some(format)) => format!("{kinds} ({format})"),
        (_, None) => kinds,
    }
}

fn reference(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
