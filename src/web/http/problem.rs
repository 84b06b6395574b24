//! A refusal of the API as data (RFC 9457). `web::api` writes the document.

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::throttle::RetryAfter;
use crate::web::copy::phrase::Phrase;

/// Why a request to the API was refused.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    pub errors: Vec<ProblemField>,
    /// The scope that the token lacks.
    pub scope: Option<&'static str>,
    /// The value of `WWW-Authenticate`.
    pub challenge: Option<Box<str>>,
    /// Seconds.
    pub retry_after: Option<u64>,
}

/// What is wrong with one value of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// JSON Pointer to the value in the body (RFC 6901); empty for the whole body, the path or the query.
    pub pointer: String,
    /// Identifies the reason, and is stable.
    pub code: String,
    /// The reason and what to do.
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, why: impl Into<Phrase>) -> Self {
        let Phrase { code, text } = why.into();
        Self {
            status,
            code,
            detail: text.into_owned(),
            errors: Vec::new(),
            scope: None,
            challenge: None,
            retry_after: None,
        }
    }

    /// 422: the value at `pointer` is not accepted.
    pub fn invalid(pointer: impl Into<String>, why: impl Into<Phrase>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, why).at(pointer)
    }

    /// Names the value in question.
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        let (code, detail) = (self.code.to_owned(), self.detail.clone());
        self.errors.push(ProblemField { pointer: pointer.into(), code, detail });
        self
    }

    /// 429 with the time to wait (RFC 6585 §4).
    pub fn too_many(wait: RetryAfter) -> Self {
        Self { retry_after: Some(wait.0), ..Self::new(StatusCode::TOO_MANY_REQUESTS, wait) }
    }
}
