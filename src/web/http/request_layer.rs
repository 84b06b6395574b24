//! The outermost layer: gives each request an id and its [`RequestState`], writes one log line about it, and completes
//! the response with an error page or problem document, cookies and headers.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use super::error::Error;
use super::headers::{self, DOCTOR_QUESTION};
use super::request_state::RequestState;
use super::shared::Shared;
use super::{return_to, traceparent};
use crate::db::Fault;
use crate::secret;

/// A failed request, for its error page.
pub struct FailedRequest<'a> {
    pub shared: &'a Shared,
    pub state: &'a RequestState,
    pub method: &'a Method,
    pub path: &'a str,
    /// `None` after a panic.
    pub request: Option<&'a HttpRequest>,
    pub error: Option<&'a Error>,
    /// The page of this site from which the form was sent.
    pub came_from: Option<&'a str>,
}

/// Turns a bare error response into one for users or scripts; `None` if it is complete already.
pub type WithErrorPage = fn(&HttpResponse, &FailedRequest<'_>) -> Option<HttpResponse>;

pub async fn request_layer(
    arrived: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    with_error_page: WithErrorPage,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let shared = Shared::of(arrived.request()).map_err(Error::from)?.clone();
    warn_about_proxy(&arrived, &shared);
    let id = new_request_id();
    let trace = traceparent::named(arrived.headers()).map(tracing::field::display);
    let span = tracing::info_span!("request", id, trace);
    let state = Rc::new(RequestState::new(id));
    arrived.extensions_mut().insert(Rc::clone(&state));
    let (method, uri) = (arrived.method().clone(), arrived.uri().clone());
    let came_from =
        (!method.is_safe()).then(|| return_to::referring_page(arrived.headers(), &shared)).flatten();
    async move {
        // A panic ends this response, not the process (ASVS 5.0 16.5.4).
        let answered = AssertUnwindSafe(next.call(arrived)).catch_unwind().await;
        let answered =
            answered.unwrap_or_else(|_| Err(Error::from(Fault::Bug("a handler panicked".into())).into()));
        // The request is lost only in a panic; then there is none to attach the response to.
        let (request, mut response) = match answered {
            Ok(response) => {
                let (request, response) = response.map_into_boxed_body().into_parts();
                (Ok(request), response)
            }
            Err(error) => {
                let response = error.error_response();
                (Err(error), response)
            }
        };
        let route = state.route.get().map(|route| route.path);
        let error = request.as_ref().err().or(response.error());
        let refusal = error.and_then(|error| error.as_error::<Error>()?.refusal()).or(state.refusal.get());
        shared.requests.count(&method, route, response.status(), refusal, begun.elapsed());
        if let Some(error) = error {
            log_error(error);
            let failed = FailedRequest {
                shared: &shared,
                state: &state,
                method: &method,
                path: uri.path(),
                request: request.as_ref().ok(),
                error: error.as_error(),
                came_from: came_from.as_deref(),
            };
            if let Some(whole) = with_error_page(&response, &failed) {
                response = whole;
            }
        }
        state.cookies.borrow().write_to(response.headers_mut());
        headers::add(response.headers_mut(), shared.hsts, state.needs_script.get());
        access_log(&method, route.unwrap_or("-"), response.status(), begun, &state);
        match request {
            Ok(request) => Ok(ServiceResponse::new(request, response)),
            Err(error) => Err(InternalError::from_response(error, response).into()),
        }
    }
    .instrument(span)
    .await
}

/// Proxies always send this header, clients rarely do. Behind a proxy that the settings do not mention, all users seem
/// to come from the proxy's IP address and share its throttle.
fn warn_about_proxy(arrived: &ServiceRequest, shared: &Shared) {
    let headers = arrived.headers();
    if shared.proxy_noticed.load(Ordering::Relaxed)
        || !headers.contains_key("x-forwarded-for")
        || headers.contains_key(DOCTOR_QUESTION)
        || shared.proxy_noticed.swap(true, Ordering::Relaxed)
    {
        return;
    }
    tracing::warn!(
        "a proxy seems to be in front, and LATCHKEY__SERVER__TRUSTED_HOPS is 0: all users are counted as one address"
    );
}

const ID_BYTES: usize = 9;

const IDS_AT_ONCE: usize = 28;

/// Identifies a request in the log and on error pages.
pub fn new_request_id() -> String {
    thread_local! {
        /// Random bytes, and how many ids they are still enough for: one call of the system serves many requests.
        static RANDOM: RefCell<([u8; ID_BYTES * IDS_AT_ONCE], usize)> =
            const { RefCell::new(([0; ID_BYTES * IDS_AT_ONCE], 0)) };
    }
    RANDOM.with_borrow_mut(|(bytes, left)| {
        if *left == 0 {
            match secret::random() {
                Ok(fresh) => (*bytes, *left) = (fresh, IDS_AT_ONCE),
                Err(_) => return "unknown".into(),
            }
        }
        *left -= 1;
        secret::encode(&bytes[ID_BYTES * *left..][..ID_BYTES])
    })
}

/// Logs a fault of a request. The layer that answers the request calls this, and no other code.
pub fn log_fault(fault: &Fault) {
    match fault {
        Fault::Bug(why) => tracing::error!(%why, "fault"),
        fault => tracing::warn!(why = %fault, "fault"),
    }
}

fn log_error(error: &actix_web::Error) {
    match error.as_error::<Error>() {
        Some(Error::Fault(fault)) => log_fault(fault),
        Some(_) => {}
        None if error.as_response_error().status_code().is_server_error() => {
            tracing::error!(why = %error, "fault")
        }
        None => {}
    }
}

/// The id as a string, which a log line takes unchanged; a `Display` value goes through a formatter.
pub fn id_text(id: Option<Uuid>, buffer: &mut [u8]) -> Option<&str> {
    id.map(|id| &*id.hyphenated().encode_lower(buffer))
}

fn access_log(method: &Method, route: &str, status: StatusCode, begun: Instant, state: &RequestState) {
    let [mut session, mut token, mut principal] = [Uuid::encode_buffer(); 3];
    let session = id_text(state.session().map(|live| live.record.handle.0), &mut session);
    let token = id_text(state.token().map(|live| live.id.0), &mut token);
    let principal = id_text(state.user_id().map(|user| user.0), &mut principal);
    let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        method = method.as_str(),
        route,
        status = status.as_u16(),
        took_us,
        session,
        token,
        principal,
        "served"
    );
}
