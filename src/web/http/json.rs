//! JSON requests of the passkey script: the counterpart of [`Form`](super::form::Form). The token is in a header that
//! no other site can make a browser send (ASVS 5.0 3.5.2), and errors are JSON as well.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::csrf::{self, TokenProblem};
use super::error::Error;
use super::request_state::RequestState;
use super::{return_to, urlencoded};
use crate::db::Fault;
use crate::throttle::RetryAfter;
use crate::web::copy::errors::ErrorCopy;
use crate::web::copy::phrase::Phrase;

/// The header with the token.
const TOKEN: &str = "x-csrf-token";

/// The last argument of a POST handler that answers a script; without it or a form the route table does not compile.
pub struct Json<T>(pub T);

/// A request without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoInput {}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request).map(Self))
    }
}

/// Checks the token that the script sends.
///
/// # Errors
/// If it is not this visitor's token.
pub fn check_token(request: &HttpRequest) -> Result<(), Error> {
    let token = request.headers().get(TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
    match csrf::check(request, token) {
        // The page was opened before the log-in in another tab: the script is told to go to the page's destination.
        Err(TokenProblem::LoggedInSince) => {
            let next = return_to::safe(&urlencoded::query(request, "next")).map(str::to_owned);
            Err(Error::LoggedInSince { next })
        }
        checked => Ok(checked?),
    }
}

fn parse<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Error> {
    check_token(request)?;
    let state = RequestState::of(request);
    let body = state.body.get().ok_or_else(|| Fault::Bug("JSON outside of the route table".into()))?;
    serde_json::from_slice(body).map_err(|error| Error::UnknownField(error.into()))
}

/// 422 with the error and what to do, for the script to show (RFC 9457).
pub fn refused(why: &Phrase) -> HttpResponse {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "This didn't work", why, None, None)
}

/// 429 with the time to wait (RFC 6585 §4).
pub fn too_many(wait: RetryAfter) -> HttpResponse {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", &wait.into(), None, None);
    response.headers_mut().insert(header::RETRY_AFTER, wait.0.into());
    response
}

/// `bare` as a problem document. A redirect becomes a refusal that names the target.
pub fn with_problem(bare: &HttpResponse, copy: &ErrorCopy, request_id: &str) -> HttpResponse {
    let next = bare.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
    let status = if bare.status().is_redirection() { StatusCode::FORBIDDEN } else { bare.status() };
    let detail = Phrase::new(copy.code, copy.text);
    let mut whole = problem(status, copy.heading, &detail, next, Some(request_id));
    for (name, value) in bare.headers() {
        if *name != header::CONTENT_TYPE && *name != header::LOCATION {
            whole.headers_mut().append(name.clone(), value.clone());
        }
    }
    whole
}

fn problem(
    status: StatusCode,
    title: &str,
    why: &Phrase,
    next: Option<&str>,
    request_id: Option<&str>,
) -> HttpResponse {
    let mut body = json!({ "title": title, "status": status.as_u16(), "code": why.code, "detail": why.text });
    for (name, value) in [("next", next), ("request_id", request_id)] {
        if let Some(value) = value {
            body[name] = value.into();
        }
    }
    HttpResponse::build(status).content_type("application/problem+json").body(body.to_string())
}
