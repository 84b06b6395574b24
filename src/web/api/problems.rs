//! Writes refusals and faults of the API as problem documents (RFC 9457).

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::operation::PROBLEM;
use crate::db::Fault;
use crate::tokens::ApiScope;
use crate::web::copy::api::{self as copy, standard};
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::problem::{Problem, ProblemField};
use crate::web::http::request_layer::FailedRequest;

/// Why a request was refused or failed (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemOut {
    /// Identifies the kind of problem: the address of its code in the description of the API.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// Identifies the reason, and is stable.
    pub code: String,
    /// The reason and what to do.
    pub detail: String,
    /// The id of the request in the log.
    pub instance: String,
    /// The scope that the token lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The values that were not accepted.
    pub errors: Vec<ProblemField>,
}

/// 401 for a request without a token (RFC 6750 §3).
pub fn no_token() -> Problem {
    let challenge = Some("Bearer realm=\"latchkey\"".into());
    Problem { challenge, ..Problem::new(StatusCode::UNAUTHORIZED, copy::NO_TOKEN) }
}

/// 401 for a token that is unknown, expired or revoked.
pub fn unknown_token() -> Problem {
    let challenge = Some("Bearer realm=\"latchkey\", error=\"invalid_token\"".into());
    Problem { challenge, ..Problem::new(StatusCode::UNAUTHORIZED, copy::UNKNOWN_TOKEN) }
}

/// 403 that names the scope.
pub fn insufficient_scope(needed: ApiScope) -> Problem {
    let needed = needed.as_str();
    let challenge = format!("Bearer realm=\"latchkey\", error=\"insufficient_scope\", scope=\"{needed}\"");
    let problem = Problem::new(StatusCode::FORBIDDEN, copy::insufficient_scope(needed));
    Problem { scope: Some(needed), challenge: Some(challenge.into()), ..problem }
}

/// 412: the item does not match the preconditions of the request.
pub fn changed_since() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, copy::CHANGED_SINCE)
}

/// 409 with the reason.
pub fn conflict(why: impl Into<Phrase>) -> Problem {
    Problem::new(StatusCode::CONFLICT, why)
}

/// `bare` as a problem document.
pub fn problem_document(bare: &HttpResponse, failed: &FailedRequest<'_>) -> HttpResponse {
    let status = bare.status();
    let why = match failed.error {
        Some(Error::Problem(problem)) => Phrase::with(problem.code, problem.detail.clone()),
        Some(Error::Fault(Fault::Busy { .. })) => copy::BUSY,
        _ => standard(status.as_u16(), failed.method.is_safe() || !failed.state.has_begun.get()),
    };
    let (scope, errors) = match failed.error {
        Some(Error::Problem(problem)) => (problem.scope, problem.errors.clone()),
        _ => (None, Vec::new()),
    };
    let document = ProblemOut {
        kind: failed.shared.public.link(&format!("/api#{}", why.code)),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        code: why.code.to_owned(),
        detail: why.text.into_owned(),
        instance: failed.state.id.clone(),
        scope: scope.map(str::to_owned),
        errors,
    };
    let text = serde_json::to_string(&document).unwrap_or_default();
    let mut whole = HttpResponse::build(status).content_type(PROBLEM).body(text);
    for (name, value) in bare.headers().iter().filter(|(name, _)| **name != header::CONTENT_TYPE) {
        whole.headers_mut().append(name.clone(), value.clone());
    }
    whole
}
