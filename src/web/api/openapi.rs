//! The OpenAPI document: paths, scopes and statuses from the route table, schemas from the types of the handlers.

use std::collections::BTreeMap;

use actix_web::body::BoxBody;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde_json::{Map, Value, json};

use super::context::ApiContext;
use super::operation::{DescribedAnswer, DescribedOperation};
use super::problems::ProblemOut;
use super::scoped::Public;
use crate::tokens::ApiScope;
use crate::web::http::error::Error;
use crate::web::route::Route;

/// The name of the security scheme.
const TOKEN: &str = "token";

const DESCRIPTION: &str = "What programs can do in Latchkey. Each request carries a token, which a user creates at \
    `/account/tokens` or the operator with `latchkey token create`. Lists have a cursor: repeat the request with \
    `cursor` set to the value of `next` until it is null. Items have an `ETag`; send it as `If-Match` to change an item \
    only if it is still in that state. Errors are problem documents (RFC 9457).";

/// The document, as JSON.
pub fn document(rows: &[Route]) -> String {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut shared = DescribedOperation::default();
    shared.refer::<ProblemOut>();
    let mut schemas = shared.schemas;
    for row in rows {
        let Some(operation) = row.operation else { continue };
        let mut described = DescribedOperation::default();
        (operation.describe)(&mut described);
        let methods = paths.entry(row.path).or_default();
        methods.insert(
            row.method.as_str().to_ascii_lowercase(),
            operation_object(operation.title, operation.scope, &described),
        );
        schemas.append(&mut described.schemas);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Latchkey",
            "version": "1",
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(rows),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                TOKEN: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "lk_…",
                    "description": "An access token with the scope that the operation names.",
                },
            },
        },
    });
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn operation_object(title: &str, scope: Option<ApiScope>, operation: &DescribedOperation) -> Value {
    let answers: Map<String, Value> =
        operation.answers.iter().map(|(status, answer)| (status.to_string(), answer.clone())).collect();
    let security = match scope {
        Some(scope) => json!([{ TOKEN: [scope.as_str()] }]),
        None => json!([]),
    };
    let mut whole = json!({
        "operationId": title.to_lowercase().replace([' ', '-'], "_").replace(['’', '\''], ""),
        "summary": title,
        "tags": [tag(scope)],
        "security": security,
        "parameters": operation.parameters,
        "responses": answers,
    });
    if let Some(scope) = scope {
        whole["description"] = format!("Scope: `{}`.", scope.as_str()).into();
    }
    if let Some(body) = &operation.body {
        whole["requestBody"] = body.clone();
    }
    whole
}

/// Operations are grouped by the first part of their scope.
fn tag(scope: Option<ApiScope>) -> &'static str {
    let scope = scope.map_or("description", ApiScope::as_str);
    scope.split(':').next().unwrap_or(scope)
}

fn tags(rows: &[Route]) -> Value {
    let mut tags: Vec<&str> = Vec::new();
    for tag in rows.iter().filter_map(|row| Some(tag(row.operation?.scope))) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.into_iter().map(|tag| json!({ "name": tag })).collect()
}

/// The document itself.
pub struct Document(Bytes);

pub async fn show(_: Public, ctx: ApiContext) -> Result<Document, Error> {
    Ok(Document(ctx.shared.openapi.clone()))
}

impl Responder for Document {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(self.0)
    }
}

impl DescribedAnswer for Document {
    fn describe(operation: &mut DescribedOperation) {
        operation.answer(200, "This document.", json!({ "type": "object" }));
    }
}
