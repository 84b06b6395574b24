//! The answer to a request that failed: a page for users, a problem document for scripts.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;

use super::page::{self, Page};
use crate::db::Fault;
use crate::web::copy::errors::{ErrorCode, ErrorCopy};
use crate::web::http::error::Error;
use crate::web::http::json;
use crate::web::http::request_layer::FailedRequest;
use crate::web::http::request_state::Face;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: Page,
    status: u16,
    copy: ErrorCopy,
    request_id: &'a str,
    /// Back to the form, or another attempt at the page that could not be shown.
    back: Option<&'a str>,
}

/// The response in the format of the row that failed. A page passes redirects on, a problem document names their
/// target.
pub fn with_error_page(bare: &HttpResponse, failed: &FailedRequest<'_>) -> Option<HttpResponse> {
    let status = bare.status();
    let copy = error_code(failed.method.is_safe(), status, failed.error).copy();
    let request_id = &*failed.state.id;
    if failed.state.face() == Face::Json {
        return Some(json::with_problem(bare, &copy, request_id));
    }
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE || failed.request.is_none();
    let again = (failed.method.is_safe() && unavailable).then_some(failed.path);
    let page = match failed.request {
        Some(request) => Page::of(request, failed.shared),
        None => Page::bare(failed.path, failed.shared),
    };
    let back = again.or(failed.came_from);
    let template = ErrorPage { page, status: status.as_u16(), copy, request_id, back };
    let mut whole = page::show(status, &template).ok()?;
    for (name, value) in bare.headers().iter().filter(|(name, _)| **name != header::CONTENT_TYPE) {
        whole.headers_mut().append(name.clone(), value.clone());
    }
    Some(whole)
}

/// Only what is known about a status. `reads`: the request would not have changed anything.
fn error_code(reads: bool, status: StatusCode, error: Option<&Error>) -> ErrorCode {
    match (status, error) {
        (_, Some(Error::LogIn { .. })) => ErrorCode::LogIn,
        (_, Some(Error::Confirm { .. })) => ErrorCode::Confirm,
        (_, Some(Error::LoggedInSince { .. })) => ErrorCode::LoggedInSince,
        (_, Some(Error::ForeignForm)) => ErrorCode::ForeignForm,
        (_, Some(Error::NoCookies)) => ErrorCode::NoCookies,
        (_, Some(Error::CrossSite)) => ErrorCode::CrossSite,
        (_, Some(Error::Malformed(_))) => ErrorCode::Malformed,
        (StatusCode::BAD_REQUEST, _) => ErrorCode::BadRequest,
        (StatusCode::FORBIDDEN, _) if !reads => ErrorCode::NotAllowed,
        (StatusCode::FORBIDDEN, _) => ErrorCode::Forbidden,
        (StatusCode::NOT_FOUND, _) => ErrorCode::NotFound,
        (StatusCode::METHOD_NOT_ALLOWED, _) => ErrorCode::WrongMethod,
        (StatusCode::REQUEST_TIMEOUT, _) => ErrorCode::TooSlow,
        (StatusCode::PAYLOAD_TOO_LARGE, _) => ErrorCode::TooLarge,
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => ErrorCode::WrongMediaType,
        (StatusCode::SERVICE_UNAVAILABLE, Some(Error::Fault(Fault::Busy { .. }))) => ErrorCode::Busy,
        (StatusCode::SERVICE_UNAVAILABLE, _) if !reads => ErrorCode::OutcomeUnknown,
        (StatusCode::SERVICE_UNAVAILABLE, _) => ErrorCode::Unavailable,
        _ if status.is_client_error() => ErrorCode::Refused,
        _ => ErrorCode::Fault,
    }
}
