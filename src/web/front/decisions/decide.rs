//! Decides about the request that a proxy describes.

use actix_http::{Request, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};

use super::asked_request::{AskedRequest, MisreadHeader, Target};
use super::flavour::Flavour;
use super::granted::{TooManySpellings, granted};
use super::listener::{DecisionListener, DecisionLog};
use crate::apps::{App, HostOwner, RequestKind};
use crate::db::Fault;
use crate::web::copy::front::FrontCode;
use crate::web::front::access::{Judgement, judge};
use crate::web::front::access_attempt::AccessAttempt;
use crate::web::front::app_request::{AppRequest, client_of};
use crate::web::front::door::{kind_of, whole};
use crate::web::front::question::{DecisionAsked, DoctorAsked, doctor_asked};
use crate::web::front::user_identity::UserIdentity;
use crate::web::front::{answers, echo, page};
use crate::web::http::request_layer::log_fault;
use crate::web::http::server::ClientConnection;
use crate::web::proxy::Identity;

/// How a proxy asks for a decision.
#[derive(Clone, Copy)]
pub struct DecisionPath<'p> {
    pub flavour: Flavour,
    /// `None`: the host decides which app is meant.
    pub slug: Option<&'p str>,
    /// The path and query that Envoy appends.
    pub rest: &'p str,
    /// Whether the path of the decision has a query of its own, which is ignored.
    pub has_query: bool,
}

/// The head of `request` becomes that of the request that is decided.
pub async fn decide(
    listener: &DecisionListener,
    request: &mut Request,
    path: DecisionPath<'_>,
    id: &str,
    log: &mut DecisionLog,
) -> Response<BoxBody> {
    let flavour = path.flavour;
    let asked = match AskedRequest::read(flavour, request.head(), path.rest, listener.hops) {
        Ok(asked) => asked,
        Err(misread) => return misconfigured(path.slug, &misread, kind_of(request.head()), id),
    };
    let head = request.head_mut();
    head.method = asked.method;
    if let Target::Read(uri) = &asked.target {
        head.uri = uri.clone();
    }
    let request = &*request;
    let head = request.head();
    log.method = head.method.clone();
    let kind = || kind_of(head);
    let snapshot = match listener.shared.accounts.apps.snapshot().await {
        Ok(snapshot) => snapshot,
        Err(fault) => return undecided(&fault, kind(), id),
    };
    let owner = snapshot.owner_of(&asked.host);
    let owner = owner.filter(|owner| path.slug.is_none_or(|slug| owner.slug() == slug));
    log.app = owner.cloned();
    let (app, origin) = match owner {
        Some(HostOwner::App { app, origin }) => (app, app.origins.get(*origin)),
        Some(HostOwner::Unreadable(app)) => return whole(answers::unreadable(app, kind(), id)),
        None => return unknown(kind(), id),
    };
    let Some(origin) = origin.filter(|_| app.enabled) else { return unknown(kind(), id) };
    if origin.is_https() != asked.is_https {
        let why = "of another scheme than the app's origin";
        let misread = MisreadHeader { name: flavour.scheme_header(), why };
        return misconfigured(Some(app.slug.as_str()), &misread, kind(), id);
    }
    if asked.target == Target::Ambiguous {
        return whole(answers::plain(FrontCode::PathAmbiguous, Some(app), kind(), id));
    }
    let client = client_of(&head.headers, Some(asked.client));
    let app_request = AppRequest {
        shared: &listener.shared,
        app,
        origin,
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        client: &client,
        address: Some(asked.client),
        hops: listener.hops,
        id,
    };
    let doctor = doctor_asked(&DecisionAsked {
        shared: &listener.shared,
        origin,
        method: head.method.as_str(),
        target: app_request.path_and_query(),
        host: &asked.host,
        headers: &head.headers,
        client: Some(asked.client),
        hops: listener.hops,
        flavour: flavour.as_str(),
        has_query: path.has_query,
    });
    if let Some(doctor) = doctor {
        return as_doctor_asks(flavour, &app_request, request, doctor).await;
    }
    by_rules(flavour, &app_request, log).await
}

async fn by_rules(
    flavour: Flavour,
    app_request: &AppRequest<'_>,
    log: &mut DecisionLog,
) -> Response<BoxBody> {
    let mut attempt = AccessAttempt::of(app_request);
    if opens_websocket(app_request.headers) {
        attempt.request.kind = RequestKind::Websocket;
    }
    let kind = attempt.request.kind;
    match judge(app_request, &attempt, &mut log.fields).await {
        Ok(Judgement::Granted(found)) => {
            let user = found.as_ref().map(UserIdentity::of);
            let identity = user.as_ref().map(UserIdentity::identity);
            let headers = app_request.headers;
            let answer = granted(flavour, app_request.app, identity.as_ref(), headers);
            answer.unwrap_or_else(|why| unnameable(app_request.app, why, kind, app_request.id))
        }
        Ok(Judgement::Refused(response)) => for_proxy(flavour, *response),
        Ok(Judgement::TooManyTokens(wait)) => {
            // Proxies do not pass 429 on.
            whole(answers::too_many_tokens(app_request, &attempt, wait, StatusCode::FORBIDDEN))
        }
        Err(fault) => undecided(&fault, kind, app_request.id),
    }
}

/// Some proxies remove `Upgrade` from what they ask, because it is for the next hop alone.
fn opens_websocket(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SEC_WEBSOCKET_VERSION)
        || headers.get("sec-fetch-mode").is_some_and(|mode| mode == "websocket")
}

/// nginx passes on no redirect of a decision, but its configuration can make one of `Location`.
fn for_proxy(flavour: Flavour, response: HttpResponse) -> Response<BoxBody> {
    let mut response = whole(response);
    if flavour == Flavour::Nginx && response.status() == StatusCode::FOUND {
        response.head_mut().status = StatusCode::UNAUTHORIZED;
    }
    response
}

async fn as_doctor_asks(
    flavour: Flavour,
    app_request: &AppRequest<'_>,
    request: &Request,
    doctor: DoctorAsked,
) -> Response<BoxBody> {
    let (app, id) = (app_request.app, app_request.id);
    let connection = || ClientConnection::serve_app(request, app.limits.idle);
    match doctor {
        DoctorAsked::Identity(user) => {
            let identity: Identity<'_> = user.identity();
            let answer = granted(flavour, app, Some(&identity), app_request.headers);
            answer.unwrap_or_else(|why| unnameable(app, why, RequestKind::Script, id))
        }
        DoctorAsked::Refuse => whole(page::problem(FrontCode::NotAllowed, None, None, id)),
        DoctorAsked::Unavailable => whole(answers::try_later(RequestKind::Script, id)),
        DoctorAsked::Close => echo::without_response(connection()),
        DoctorAsked::Slow => echo::late_without_response(connection()).await,
    }
}

fn unknown(kind: RequestKind, id: &str) -> Response<BoxBody> {
    whole(answers::plain(FrontCode::Unknown, None, kind, id))
}

/// Without its database, an instance refuses every request.
fn undecided(fault: &Fault, kind: RequestKind, id: &str) -> Response<BoxBody> {
    log_fault(fault);
    whole(answers::try_later(kind, id))
}

fn misconfigured(
    slug: Option<&str>,
    misread: &MisreadHeader,
    kind: RequestKind,
    id: &str,
) -> Response<BoxBody> {
    let MisreadHeader { name, why } = misread;
    tracing::warn!(app = slug, header = name.as_str(), why, "front.misconfigured");
    whole(answers::plain(FrontCode::Misconfigured, None, kind, id))
}

fn unnameable(app: &App, _: TooManySpellings, kind: RequestKind, id: &str) -> Response<BoxBody> {
    let why = "an identity header has more hyphens than Envoy can remove spellings of";
    tracing::warn!(app = app.slug.as_str(), why, "front.misconfigured");
    whole(answers::plain(FrontCode::Misconfigured, Some(app), kind, id))
}
