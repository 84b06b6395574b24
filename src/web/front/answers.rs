//! Latchkey's own responses in place of the app's: a redirect, a page or a problem document, for each answer of the
//! rules and each kind of request.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};

use super::access_attempt::AccessAttempt;
use super::app_request::AppRequest;
use super::page::{self, PageContent, PageLink};
use crate::apps::{AccessRequest, Answer, App, Caller, Explain, RequestKind, Rule, Trace, UnreadableApp};
use crate::db::Fault;
use crate::throttle::RetryAfter;
use crate::web::copy::access;
use crate::web::copy::front::{self, FrontCode};
use crate::web::proxy::ProxyError;

/// Why a request is not passed on to the app.
pub struct FrontRefusal<'r> {
    pub answer: Answer,
    pub trace: Trace,
    pub attempt: &'r AccessAttempt<'r>,
    pub caller: Option<&'r Caller<'r>>,
}

/// How many seconds to wait before the same request can succeed.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

pub fn refuse(app_request: &AppRequest<'_>, refusal: &FrontRefusal<'_>) -> HttpResponse {
    let asked = &refusal.attempt.request;
    let mut response = match (refusal.answer, asked.kind) {
        (Answer::LogIn, kind) => log_in(app_request, refusal, kind),
        (Answer::Confirm { .. }, kind) => confirm(app_request, kind),
        (answer, kind) => forbidden(app_request, refusal, code_of(answer), kind),
    };
    allow_cors(app_request, asked, &mut response);
    response
}

fn log_in(app_request: &AppRequest<'_>, refusal: &FrontRefusal<'_>, kind: RequestKind) -> HttpResponse {
    let url = app_request.log_in_url(false);
    let new_tab = || PageContent {
        links: vec![PageLink::to(front::LOG_IN_IN_NEW_TAB, home_url(app_request)).in_new_tab()],
        ..PageContent::default()
    };
    match kind {
        RequestKind::Navigation => page::redirect(StatusCode::FOUND, &url),
        RequestKind::Form => app_request.page(FrontCode::NotSent, new_tab()),
        RequestKind::Frame => app_request.page(FrontCode::Frame, new_tab()),
        RequestKind::Websocket | RequestKind::Preflight | RequestKind::Script => {
            let why = why_token_refused(app_request, refusal);
            let mut response =
                page::problem(FrontCode::LogIn, why, Some(&home_url(app_request)), app_request.id);
            challenge(app_request, &mut response);
            ask_for_token(app_request, refusal, &mut response);
            response
        }
    }
}

/// Why the token was not accepted; `None` if the request has no token, or the app gives no reasons.
fn why_token_refused(app_request: &AppRequest<'_>, refusal: &FrontRefusal<'_>) -> Option<&'static str> {
    match (refusal.attempt.sent_token(), refusal.caller) {
        (false, _) => None,
        (true, None) => Some(front::TOKEN_UNKNOWN),
        (true, Some(_)) => (app_request.app.explain != Explain::Off).then_some(front::TOKEN_NOT_ACCEPTED),
    }
}

/// Asks a program for an access token, because some programs send a password only if they are asked. Browsers, which send
/// `Sec-Fetch-Site`, are not asked, because they would open a dialog for a password.
fn ask_for_token(app_request: &AppRequest<'_>, refusal: &FrontRefusal<'_>, response: &mut HttpResponse) {
    let rule = refusal.trace.rule.and_then(|at| app_request.app.rules.get(at));
    if refusal.attempt.request.fetch_site.is_some() || !rule.is_some_and(Rule::accepts_tokens) {
        return;
    }
    let slug = &app_request.app.slug;
    // RFC 6750 §3.
    let error = if refusal.attempt.sent_token() { ", error=\"invalid_token\"" } else { "" };
    for challenge in
        [format!("Bearer realm=\"{slug}\"{error}"), format!("Basic realm=\"{slug}\", charset=\"UTF-8\"")]
    {
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, value);
        }
    }
}

/// The client's network has sent too many unknown tokens.
pub fn too_many_tokens(
    app_request: &AppRequest<'_>,
    attempt: &AccessAttempt<'_>,
    wait: RetryAfter,
    status: StatusCode,
) -> HttpResponse {
    let kind = attempt.request.kind;
    let mut response =
        plain_with_status(status, FrontCode::TooManyTokens, Some(app_request.app), kind, app_request.id);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.0));
    allow_cors(app_request, &attempt.request, &mut response);
    response
}

fn confirm(app_request: &AppRequest<'_>, kind: RequestKind) -> HttpResponse {
    match kind {
        RequestKind::Navigation => page::redirect(StatusCode::FOUND, &app_request.log_in_url(true)),
        RequestKind::Form | RequestKind::Frame => app_request.page(
            if kind == RequestKind::Form { FrontCode::ConfirmNotSent } else { FrontCode::ConfirmFrame },
            PageContent {
                links: vec![
                    PageLink::to(front::CONFIRM_IN_NEW_TAB, fresh_home_url(app_request)).in_new_tab(),
                ],
                ..PageContent::default()
            },
        ),
        RequestKind::Websocket | RequestKind::Preflight | RequestKind::Script => {
            let mut response =
                page::problem(FrontCode::Confirm, None, Some(&fresh_home_url(app_request)), app_request.id);
            challenge(app_request, &mut response);
            response
        }
    }
}

/// RFC 9110 §15.5.2: a 401 must name an authentication scheme. Browsers do not know ours, so they do not ask for a
/// password.
fn challenge(app_request: &AppRequest<'_>, response: &mut HttpResponse) {
    if let Ok(value) = HeaderValue::from_str(&format!("Latchkey realm=\"{}\"", app_request.app.slug)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}

/// The URL of a log-in that ends at the start page of the app, because the URL that a script requests is not a page.
fn home_url(app_request: &AppRequest<'_>) -> String {
    format!("{}/.latchkey/in?to=%2F", app_request.origin)
}

fn fresh_home_url(app_request: &AppRequest<'_>) -> String {
    format!("{}/.latchkey/in?fresh=1&to=%2F", app_request.origin)
}

/// The code of a refusal that logging in would not change.
pub fn code_of(answer: Answer) -> FrontCode {
    match answer {
        Answer::Pass { .. } | Answer::LogIn => FrontCode::LogIn,
        Answer::Confirm { .. } => FrontCode::Confirm,
        Answer::NotAllowed(_) => FrontCode::NotAllowed,
        Answer::SecondFactor { passkey: false, enrolled: false } => FrontCode::SecondFactorMissing,
        Answer::SecondFactor { passkey: false, enrolled: true } => FrontCode::SecondFactorNeeded,
        Answer::SecondFactor { passkey: true, enrolled: false } => FrontCode::PasskeyMissing,
        Answer::SecondFactor { passkey: true, enrolled: true } => FrontCode::PasskeyNeeded,
        Answer::CrossSite => FrontCode::CrossSite,
        Answer::PreflightRefused => FrontCode::PreflightRefused,
        Answer::UnknownApp => FrontCode::Unknown,
        Answer::PathAmbiguous(_) => FrontCode::PathAmbiguous,
        Answer::Misconfigured(_) => FrontCode::Misconfigured,
    }
}

/// Whether a refused user would get in after setting up a second factor or a passkey.
pub fn can_set_up(code: FrontCode) -> bool {
    matches!(code, FrontCode::SecondFactorMissing | FrontCode::PasskeyMissing)
}

fn forbidden(
    app_request: &AppRequest<'_>,
    refusal: &FrontRefusal<'_>,
    code: FrontCode,
    kind: RequestKind,
) -> HttpResponse {
    if let Answer::Misconfigured(why) = refusal.answer {
        tracing::warn!(app = app_request.app.slug.as_str(), why = ?why, "front.misconfigured");
    }
    let why = access::why_refused(app_request.app, &refusal.trace);
    if !wants_page(kind) {
        return page::problem(code, why.as_deref(), None, app_request.id);
    }
    let portal = |path: &str| app_request.shared.public.link(path);
    let mut links = match code {
        code if can_set_up(code) => vec![PageLink::to(front::SET_UP, portal("/account/security"))],
        _ => Vec::new(),
    };
    // Visitors learn nothing about an unknown app.
    if refusal.caller.is_some() {
        let home = PageLink::to(front::YOUR_APPS, portal("/home"));
        links.push(if links.is_empty() { home } else { home.secondary() });
    }
    let who = refusal.caller.map(|caller| front::logged_in_as(caller.name, caller.email));
    let content =
        PageContent { before: who.into_iter().chain(why).collect(), links, ..PageContent::default() };
    app_request.page(code, content)
}

fn wants_page(kind: RequestKind) -> bool {
    matches!(kind, RequestKind::Navigation | RequestKind::Form | RequestKind::Frame)
}

/// A page or a problem document that says no more than its code.
pub fn plain(code: FrontCode, app: Option<&App>, kind: RequestKind, id: &str) -> HttpResponse {
    plain_with_status(page::status_of(code), code, app, kind, id)
}

/// The same with another status than that of the code.
fn plain_with_status(
    status: StatusCode,
    code: FrontCode,
    app: Option<&App>,
    kind: RequestKind,
    id: &str,
) -> HttpResponse {
    if !wants_page(kind) {
        return page::problem_with_status(status, code, None, None, id);
    }
    let links = match kind {
        // Leads to this page itself, which only reads.
        RequestKind::Navigation if passes_by_itself(code) => vec![PageLink::to(front::TRY_AGAIN, "")],
        _ => Vec::new(),
    };
    let mut response = page::page(code, app, PageContent { links, ..PageContent::default() }, id);
    *response.status_mut() = status;
    response
}

/// Whether the same request may succeed a moment later.
fn passes_by_itself(code: FrontCode) -> bool {
    matches!(
        code,
        FrontCode::Unavailable
            | FrontCode::Busy
            | FrontCode::Unreachable
            | FrontCode::BadAnswer
            | FrontCode::Fault
    )
}

/// Scripts of the sites that the app trusts may read why a request was refused (Fetch §3.2).
fn allow_cors(app_request: &AppRequest<'_>, asked: &AccessRequest<'_>, response: &mut HttpResponse) {
    let Some(origin) = asked.origin else { return };
    let is_trusted = app_request.app.also_from.iter().any(|trusted| trusted.is(origin));
    if let (true, Ok(origin)) = (is_trusted, HeaderValue::from_str(origin)) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// The app at this host has a value that this version does not know, so its rules cannot be applied.
pub fn unreadable(app: &UnreadableApp, kind: RequestKind, id: &str) -> HttpResponse {
    tracing::warn!(app = app.slug, why = app.column, "front.misconfigured");
    plain(FrontCode::Misconfigured, None, kind, id)
}

/// Without its database, an instance refuses every request.
pub fn unavailable(fault: &Fault, kind: RequestKind, id: &str) -> HttpResponse {
    if matches!(fault, Fault::Bug(_)) {
        return plain(FrontCode::Fault, None, kind, id);
    }
    try_later(kind, id)
}

/// The request cannot be decided at the moment.
pub fn try_later(kind: RequestKind, id: &str) -> HttpResponse {
    let mut response = plain(FrontCode::Unavailable, None, kind, id);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// The app gave no response that can be passed on.
pub fn no_response(app: &App, kind: RequestKind, error: &ProxyError, id: &str) -> HttpResponse {
    let code = match error {
        ProxyError::BadRequest(_) | ProxyError::ClientGone | ProxyError::ClientTooSlow => {
            FrontCode::BadRequest
        }
        ProxyError::BodyTooLarge => FrontCode::TooLarge,
        ProxyError::NoUpstream | ProxyError::Unreachable(_) | ProxyError::ConnectTimeout => {
            FrontCode::Unreachable
        }
        ProxyError::BadResponse(_) => FrontCode::BadAnswer,
        ProxyError::HeadTimeout => FrontCode::TimedOut,
        ProxyError::TooManyInFlight | ProxyError::TooManyTunnels | ProxyError::TooManyConnections => {
            FrontCode::Busy
        }
    };
    if error.status().is_server_error() {
        tracing::warn!(app = app.slug.as_str(), why = %error, "the upstream gave no answer");
    }
    let mut response = plain(code, Some(app), kind, id);
    let headers = response.headers_mut();
    if code == FrontCode::Busy {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    // Distinguishes our responses from the app's.
    headers.insert(HeaderName::from_static("x-latchkey-error"), HeaderValue::from_static(code.copy().code));
    response
}
