//! The answer to a request that failed: a page for users, a problem document for scripts, and the texts of both.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;

use super::page::{self, Page};
use crate::db::Fault;
use crate::web::http::error::Error;
use crate::web::http::json;
use crate::web::http::request_layer::FailedRequest;
use crate::web::http::request_state::Face;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: Page,
    status: u16,
    heading: &'a str,
    text: &'a str,
    request_id: &'a str,
    /// Back to the form, or once more to the page that could not be shown.
    back: Option<&'a str>,
}

/// The answer in the shape of the row that failed. A page leaves redirects alone, a problem document names their target.
pub fn with_error_page(bare: &HttpResponse, failed: &FailedRequest<'_>) -> Option<HttpResponse> {
    let status = bare.status();
    let (heading, text) = error_copy(failed.method.is_safe(), status, failed.error);
    let request_id = &*failed.state.id;
    if failed.state.face() == Face::Json {
        return Some(json::with_problem(bare, (heading, text), request_id));
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
    let template = ErrorPage { page, status: status.as_u16(), heading, text, request_id, back };
    let mut whole = page::show(status, &template).ok()?;
    for (name, value) in bare.headers().iter().filter(|(name, _)| **name != header::CONTENT_TYPE) {
        whole.headers_mut().append(name.clone(), value.clone());
    }
    Some(whole)
}

/// Heading and text about a status: only what is known. `reads`: the request was not to change anything.
fn error_copy(reads: bool, status: StatusCode, error: Option<&Error>) -> (&'static str, &'static str) {
    match (status, error) {
        (_, Some(Error::LogIn { .. })) => ("You are not logged in", "Log in, then try again."),
        (_, Some(Error::Confirm { .. })) => {
            ("Confirm it is you", "Prove once more who you are, then try again.")
        }
        (_, Some(Error::LoggedInSince { .. })) => {
            ("You are logged in already", "You have logged in since you opened this page.")
        }
        (_, Some(Error::ForeignForm)) => (
            "This form is out of date",
            "It does not belong to the session in this browser, so nothing was done. That happens when you log in or out while a page is open. Open the page again and send the form once more.",
        ),
        (_, Some(Error::NoCookies)) => (
            "Your browser sent no cookies",
            "Latchkey needs a cookie to recognize its own forms, so nothing was done. Allow cookies for this site, open the page again and send the form once more.",
        ),
        (_, Some(Error::CrossSite)) => (
            "This came from somewhere else",
            "Your browser says that another site sent this form, so nothing was done. If you sent it from one of our pages, open that page again and send it once more.",
        ),
        (_, Some(Error::Malformed(_))) => (
            "This cannot be read",
            "The request has characters that do not belong in it. Type them again, by hand if you pasted them.",
        ),
        (StatusCode::BAD_REQUEST, _) => (
            "This cannot be read",
            "The request is not one that any page of ours makes. Go back and try again.",
        ),
        (StatusCode::FORBIDDEN, _) if !reads => (
            "You are not allowed to do this",
            "Nothing was changed. An administrator can change what your account is allowed to do.",
        ),
        (StatusCode::FORBIDDEN, _) => (
            "This is not yours to open",
            "Your account is not allowed to see this page. An administrator can change that.",
        ),
        (StatusCode::NOT_FOUND, _) => {
            ("There is nothing here", "The address is mistyped, or what was here has ended.")
        }
        (StatusCode::METHOD_NOT_ALLOWED, _) => (
            "Not like this",
            "This address cannot be used in this way. Go back and use the page's own buttons.",
        ),
        (StatusCode::REQUEST_TIMEOUT, _) => (
            "This took too long",
            "Your form did not arrive in time. Check your connection and send it again.",
        ),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => (
            "This is too long",
            "The form holds more than we take. Shorten what you typed and send it again.",
        ),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            ("This cannot be read", "This address takes the form on its page and nothing else.")
        }
        (StatusCode::SERVICE_UNAVAILABLE, Some(Error::Fault(Fault::Busy { .. }))) => (
            "We are busy",
            "More passwords are being checked right now than we can check at once. Nothing was changed. Wait a few seconds, then try again.",
        ),
        (StatusCode::SERVICE_UNAVAILABLE, _) if !reads => (
            "We do not know whether this was done",
            "Our database did not answer in time. Wait a moment, then go back to the page and look before you send the form again.",
        ),
        (StatusCode::SERVICE_UNAVAILABLE, _) => (
            "We cannot look that up right now",
            "Our database does not answer. Wait a moment, then try again.",
        ),
        _ if status.is_client_error() => (
            "This did not work",
            "The request is not one that any page of ours makes. Go back and try again.",
        ),
        _ => (
            "Something broke on our side",
            "It is noted with the code below. Try again; if it happens twice, tell us the code.",
        ),
    }
}
