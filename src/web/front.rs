//! Outermost: gives each request an id, writes one line about it, and makes every answer a whole one
//! (headers, error page, the small cookies).

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use super::error::{self, Error, Words};
use super::page::Page;
use super::{Shared, assets, browser, csrf, doctor, flash, guard, headers, json, page, routes, trace, visit};
use crate::db::Fault;
use crate::identity::LiveUser;
use crate::secret;
use crate::sessions::request;

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

/// What an error page says about its request.
struct Told<'a> {
    words: Words,
    request_id: &'a str,
    back: Option<&'a str>,
}

pub async fn door(
    arrived: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let id = secret::random::<9>().map(|bytes| secret::encode(&bytes)).unwrap_or_else(|_| "unknown".into());
    let (method, path) = (arrived.method().clone(), arrived.path().to_owned());
    let shared = arrived.app_data::<Data<Shared>>().cloned();
    let mut came_from = None;
    if let Some(shared) = &shared {
        notice_proxy(&arrived, shared);
        came_from = guard::came_from(arrived.headers(), shared).filter(|_| !method.is_safe());
    }
    let trace = trace::named(arrived.headers()).map(tracing::field::display);
    let span = tracing::info_span!("request", id, trace);
    let answer = async move {
        // A panic ends this answer, not the process (ASVS 5.0 16.5.4).
        let answer = AssertUnwindSafe(next.call(arrived)).catch_unwind().await;
        let answer =
            answer.unwrap_or_else(|_| Err(Error::Fault(Fault::Bug("a handler panicked".into())).into()));
        let Some(shared) = shared else { return answer.map(ServiceResponse::map_into_boxed_body) };
        match answer {
            Ok(response) => {
                let error = response.response().error().and_then(|error| error.as_error::<Error>());
                let pattern = response.request().match_pattern();
                let (status, took) = (response.status(), begun.elapsed());
                shared.requests.count(&method, pattern.as_deref(), status, error, took);
                let response = finish(response.map_into_boxed_body(), &shared, &id, came_from.as_deref());
                note(&method, pattern.as_deref().unwrap_or("-"), response.status(), begun, visit::live());
                Ok(response)
            }
            // Only middleware fails this way, and by then the request is gone: a page without its visitor.
            Err(error) => {
                log_fault(&error);
                let bare = error.error_response();
                let words = error::words(&method, bare.status(), error.as_error::<Error>());
                let mut response = if routes::is_for_scripts(&method, &path) {
                    json::dressed(bare, words, &id)
                } else {
                    let again = Some(path.as_str()).filter(|_| method.is_safe());
                    let told = Told { words, request_id: &id, back: again.or(came_from.as_deref()) };
                    dressed(bare, told, lone_page(&path, &shared))
                };
                headers::add(response.headers_mut(), shared.hsts, false);
                let (status, took) = (response.status(), begun.elapsed());
                shared.requests.count(&method, None, status, error.as_error::<Error>(), took);
                note(&method, "-", response.status(), begun, None);
                Err(InternalError::from_response(error, response).into())
            }
        }
    }
    .instrument(span);
    // Whoever is found to be visiting is known until here.
    request::carried(answer).await
}

/// A client seldom writes this header by itself, a proxy always: then everybody seems to come from the proxy, and one
/// throttle counts them all.
fn notice_proxy(arrived: &ServiceRequest, shared: &Shared) {
    let headers = arrived.headers();
    if shared.proxy_noticed.load(Ordering::Relaxed)
        || !headers.contains_key("x-forwarded-for")
        || doctor::is_visiting(headers)
        || shared.proxy_noticed.swap(true, Ordering::Relaxed)
    {
        return;
    }
    tracing::warn!(
        "a proxy seems to be in front, and LATCHKEY__SERVER__TRUSTED_HOPS is 0: everybody is counted as one address"
    );
}

fn finish(
    response: ServiceResponse<BoxBody>,
    shared: &Shared,
    request_id: &str,
    came_from: Option<&str>,
) -> ServiceResponse<BoxBody> {
    let (request, mut response) = response.into_parts();
    // A page of ours may be the answer to an error already.
    let failed = response.error().is_some() && !is_page(&response);
    let is_bare = failed || !response.headers().contains_key(header::CONTENT_TYPE);
    let for_script = is_bare && routes::is_for_scripts(request.method(), request.path());
    if is_bare && (is_error(response.status()) || (for_script && failed)) {
        // Taken out of the response, which is about to be replaced.
        let error = response.error().map(|error| {
            log_fault(error);
            error::words(request.method(), response.status(), error.as_error::<Error>())
        });
        let words = error.unwrap_or_else(|| error::words(request.method(), response.status(), None));
        response = if for_script {
            json::dressed(response, words, request_id)
        } else {
            let unavailable =
                request.method().is_safe() && response.status() == StatusCode::SERVICE_UNAVAILABLE;
            let again = Some(request.path()).filter(|_| unavailable);
            let told = Told { words, request_id, back: again.or(came_from) };
            dressed(response, told, Page::of(&request, shared))
        };
    }
    for cookie in small_cookies(&request, &response, shared) {
        let _ = response.add_cookie(&cookie);
    }
    let scripted = request.extensions().get::<headers::Scripted>().is_some();
    headers::add(response.headers_mut(), shared.hsts, scripted);
    ServiceResponse::new(request, response)
}

/// The form's nonce, set when made; the flash, removed when told; and what the browser is known by.
fn small_cookies(request: &HttpRequest, response: &HttpResponse, shared: &Shared) -> Vec<Cookie<'static>> {
    let mut cookies = Vec::new();
    cookies.extend(csrf::fresh_cookie(request, shared));
    cookies.extend(browser::cookie(request, shared));
    if is_page(response) && flash::was_read(request) {
        cookies.push(flash::removal_cookie(shared));
    }
    cookies
}

/// The same status and headers with a page for a body.
fn dressed(bare: HttpResponse, told: Told<'_>, page: Page) -> HttpResponse {
    let Told { words: (heading, text), request_id, back } = told;
    let status = bare.status();
    if !is_error(status) {
        return bare;
    }
    let template = ErrorPage { page, status: status.as_u16(), heading, text, request_id, back };
    let Ok(mut whole) = page::show(status, &template) else { return bare };
    for (name, value) in bare.headers().iter().filter(|(name, _)| **name != header::CONTENT_TYPE) {
        whole.headers_mut().append(name.clone(), value.clone());
    }
    whole
}

fn is_page(response: &HttpResponse) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn lone_page(path: &str, shared: &Shared) -> Page {
    Page {
        csrf: String::new(),
        flash: None,
        person: None,
        path: path.to_owned(),
        css: assets::css(),
        icon: assets::icon(),
        script: None,
        dev: shared.local,
    }
}

/// A fault is logged here and nowhere else.
fn log_fault(error: &actix_web::Error) {
    match error.as_error::<Error>() {
        Some(Error::Fault(Fault::Bug(why))) => tracing::error!(%why, "fault"),
        Some(Error::Fault(fault)) => tracing::warn!(why = %fault, "fault"),
        Some(_) => {}
        None if error.as_response_error().status_code().is_server_error() => {
            tracing::error!(why = %error, "fault")
        }
        None => {}
    }
}

fn note(method: &Method, route: &str, status: StatusCode, begun: Instant, live: Option<LiveUser>) {
    // As texts, which are written as they are; what is only displayed goes through a formatter.
    let [mut session, mut principal] = [Uuid::encode_buffer(); 2];
    let session = live.as_ref().map(|live| &*live.record.handle.0.hyphenated().encode_lower(&mut session));
    let principal = live.as_ref().map(|live| &*live.owner.id.0.hyphenated().encode_lower(&mut principal));
    let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        method = method.as_str(),
        route,
        status = status.as_u16(),
        took_us,
        session,
        principal,
        "served"
    );
}
