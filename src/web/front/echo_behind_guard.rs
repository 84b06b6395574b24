//! The echo in forward-auth mode: `/.latchkey/echo`, and all below it, passes the same guard and the same changes of
//! headers as a request to the app, and ends here. So what arrives here is what the app would receive.

use actix_http::{Payload, RequestHead, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};

use super::app_request::{AppRequest, RESERVED};
use super::{echo, echo_stream};
use crate::web::http::server::ClientConnection;
use crate::web::ops::app_decision::DecidedRequest;
use crate::web::ops::app_question::{
    AppObservation, ArrivedRequest, PassedOn, REPORT, RequestAbout, STREAM, asked_about, question_in,
};

/// Answers a question at `/app/{slug}/…` of the decision listener; `None` if there is no valid one.
///
/// * `tail`: the path behind `/app/{slug}/`, as it arrived.
pub async fn answer(
    app_request: &AppRequest<'_>,
    tail: &str,
    head: &RequestHead,
    body: Payload,
    connection: Option<ClientConnection>,
) -> Option<Response<BoxBody>> {
    let query = app_request.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let path = format!("{RESERVED}{tail}");
    let target = format!("{path}{query}");
    if path == REPORT {
        let question = valid_question(app_request, head, &target)?;
        let seen = AppObservation {
            app: echo::facts(app_request),
            arrived: ArrivedRequest { target, ..echo::arrived(app_request, head, body).await },
            passed_on: PassedOn::Nothing("in forward-auth mode".into()),
            upstream: None,
            decision: None,
        };
        return Some(into_response(echo::respond(app_request, Some(question), &seen)));
    }
    if tail != "echo" && !tail.starts_with("echo/") {
        return None;
    }
    let decided = decided(app_request, head);
    let question = match &decided {
        Some(decided) => decided.question.as_str(),
        None => valid_question(app_request, head, &target)?,
    };
    if path == STREAM
        && let Some(connection) = connection.filter(|_| head.headers.contains_key(header::UPGRADE))
    {
        return echo_stream::open(head, &connection);
    }
    // Envoy takes a success for an open websocket, and drops the body.
    let is_handshake = head.headers.contains_key(header::UPGRADE);
    let here = echo::arrived(app_request, head, body).await;
    let passed_on =
        PassedOn::Request { method: here.method.clone(), target, headers: received(app_request, head) };
    let decision = decided.as_ref().map(|decided| decided.facts.clone());
    let question = question.to_owned();
    let arrived = match decided {
        Some(DecidedRequest { method, target, host, cookies, seen, .. }) => {
            ArrivedRequest { method, target, host, cookies, seen, ..here }
        }
        None => here,
    };
    let seen = AppObservation { app: echo::facts(app_request), arrived, passed_on, upstream: None, decision };
    let mut response = echo::respond(app_request, Some(&question), &seen);
    if is_handshake {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Some(into_response(response))
}

fn into_response(response: HttpResponse) -> Response<BoxBody> {
    response.map_into_boxed_body().into()
}

/// The question in the header of this request, if it is valid at one of the app's origins.
fn valid_question<'r>(app_request: &AppRequest<'_>, head: &'r RequestHead, target: &str) -> Option<&'r str> {
    let question = question_in(&head.headers)?;
    let secret = &app_request.shared.secret;
    let is_valid = app_request.app.origins.iter().any(|origin| {
        let origin = origin.to_string();
        let about = RequestAbout { method: head.method.as_str(), origin: &origin, target };
        asked_about(secret, question, about).is_some()
    });
    is_valid.then_some(question)
}

/// The decision that let this request in. Its signature is ours, so the question was valid when it was made.
fn decided(app_request: &AppRequest<'_>, head: &RequestHead) -> Option<DecidedRequest> {
    let names = head.headers.get_all(app_request.app.header_names.name.as_str());
    let mut names = names.filter_map(|value| value.to_str().ok());
    names.find_map(|name| Some(DecidedRequest::of_header(&app_request.shared.secret, name)?.0))
}

/// The headers as the app would receive them: the name of the doctor's user without what the decision added to it.
fn received(app_request: &AppRequest<'_>, head: &RequestHead) -> Vec<(String, String)> {
    let secret = &app_request.shared.secret;
    let text = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match DecidedRequest::of_header(secret, &text) {
            Some((_, name)) => name.to_owned(),
            None => text,
        }
    };
    head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
