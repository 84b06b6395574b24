//! Answers the questions of `latchkey doctor --app`: which request arrived at the origin of an app, and what the app
//! would receive. No request is sent to the app.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{Payload, RequestHead, Response, body::BodySize};
use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use time::OffsetDateTime;

use super::app_request::AppRequest;
use super::{answers, page};
use crate::apps::{AccessRequest, Answer, AppMode, PathMatch, RemoteUser, RequestKind, decide};
use crate::db::Fault;
use crate::db::time::Moment;
use crate::web::copy::front::FrontCode;
use crate::web::http::server::ClientConnection;
use crate::web::ops::app_question::{
    AppFacts, AppObservation, ArrivedRequest, DoctorUser, PassedOn, Pretend, REPORT, UpstreamReach,
    VisitorAccess, VisitorAnswer, question_in, signed_answer,
};
use crate::web::ops::doctor::observed;
use crate::web::proxy::{ClientFacts, Identity, Transport, preview};

/// How much of a body is counted. The doctor sends a quarter of it.
const MOST_COUNTED: u64 = 4 * 1024 * 1024;

/// Longer than the doctor waits, and longer than most proxies wait before they try another server.
const SLOW: Duration = Duration::from_secs(20);

/// The facts that the answer to a question needs.
pub struct DoctorAsks<'r> {
    pub pretend: Pretend,
    pub head: &'r RequestHead,
    pub body: Payload,
    pub connection: Option<ClientConnection>,
    pub transport: &'r Transport,
}

pub async fn answer(app_request: &AppRequest<'_>, asks: DoctorAsks<'_>) -> Response<BoxBody> {
    match asks.pretend {
        Pretend::Nothing | Pretend::NoGroups => observe(app_request, asks).await.map_into_boxed_body().into(),
        Pretend::Refuse => {
            page::problem(FrontCode::NotAllowed, None, None, app_request.id).map_into_boxed_body().into()
        }
        Pretend::Unavailable => {
            let fault = Fault::Unavailable("as the doctor asked".into());
            answers::unavailable(&fault, RequestKind::Script, app_request.id).map_into_boxed_body().into()
        }
        Pretend::Close => without_response(asks.connection),
        Pretend::Slow => late_without_response(asks.connection).await,
    }
}

/// The groups of the doctor's user.
pub fn groups_for(pretend: Pretend) -> &'static [&'static str] {
    if pretend == Pretend::NoGroups { &[] } else { &DoctorUser::GROUPS }
}

async fn observe(app_request: &AppRequest<'_>, asks: DoctorAsks<'_>) -> HttpResponse {
    let identity = Identity {
        id: DoctorUser::ID,
        email: DoctorUser::EMAIL,
        name: DoctorUser::NAME,
        groups: groups_for(asks.pretend),
    };
    let client = ClientFacts { address: app_request.address, origin: app_request.origin };
    let passed_on = match preview(app_request.app, asks.head, &identity, &client) {
        Ok(sent) => PassedOn::Request { method: sent.method, target: sent.target, headers: sent.headers },
        Err(why) => PassedOn::Nothing(why.to_string()),
    };
    let upstream = match &app_request.app.upstream {
        Some(upstream) if app_request.uri.path() == REPORT => Some(UpstreamReach {
            url: upstream.to_string(),
            failed: asks.transport.reach(app_request.app).await.err().map(|why| why.to_string()),
        }),
        _ => None,
    };
    let seen = AppObservation {
        app: facts(app_request),
        arrived: arrived(app_request, asks.head, asks.body).await,
        passed_on,
        upstream,
        decision: None,
    };
    respond(app_request, question_in(&asks.head.headers), &seen)
}

/// The signed answer to `question`.
pub fn respond(app_request: &AppRequest<'_>, question: Option<&str>, seen: &AppObservation) -> HttpResponse {
    let signed = question.and_then(|asked| signed_answer(&app_request.shared.secret, asked, seen));
    match signed {
        Some(answer) => {
            // Like the response of an app to a request with an identity: a cache that stores one stores the other.
            HttpResponse::Ok()
                .insert_header((header::CACHE_CONTROL, "private"))
                .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .json(answer)
        }
        None => page::problem(FrontCode::Fault, None, None, app_request.id),
    }
}

/// The request as it arrived here.
pub async fn arrived(app_request: &AppRequest<'_>, head: &RequestHead, body: Payload) -> ArrivedRequest {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    ArrivedRequest {
        method: head.method.to_string(),
        target: app_request.path_and_query().to_owned(),
        host: head.headers.get(header::HOST).map(text).unwrap_or_default(),
        // Behind the head of a request for another protocol, there is no body that ends.
        body: if head.headers.contains_key(header::UPGRADE) { 0 } else { length(body).await },
        upgrade: head.headers.get(header::UPGRADE).map(text),
        cookies: cookie_names(&head.headers),
        seen: observed(head, app_request.shared),
        names_server: head.headers.contains_key("x-forwarded-server"),
        at: i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
    }
}

async fn length(mut body: Payload) -> u64 {
    let mut length = 0;
    while let Some(Ok(piece)) = body.next().await {
        length += u64::try_from(piece.len()).unwrap_or_default();
        if length > MOST_COUNTED {
            break;
        }
    }
    length
}

/// The names of the cookies in a request.
pub fn cookie_names(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| Some(pair.split_once('=')?.0.trim().to_owned())).collect()
}

/// The facts about the app that the doctor needs.
pub fn facts(app_request: &AppRequest<'_>) -> AppFacts {
    let app = app_request.app;
    let mut paths = vec!["/".to_owned()];
    for rule in &app.rules {
        match &rule.when.path {
            PathMatch::Exact(path) | PathMatch::Below(path) => paths.push(path.to_string()),
            PathMatch::All => {}
        }
    }
    AppFacts {
        slug: app.slug.to_string(),
        enabled: app.enabled,
        is_proxied: app.mode == AppMode::Proxy,
        can_proxy: app_request.shared.can_proxy,
        max_body: app.limits.max_body,
        header_names: app.header_names.all().map(|name| name.as_str().to_ascii_lowercase()),
        user_is_email: app.remote_user == RemoteUser::Email,
        rules: app.rules.len(),
        visitors: paths.into_iter().map(|path| visitor(app_request, path)).collect(),
    }
}

/// The answer that a visitor would get at `path`.
fn visitor(app_request: &AppRequest<'_>, path: String) -> VisitorAnswer {
    let opens = AccessRequest::navigation(&path, app_request.address);
    let posts = AccessRequest { method: "POST", kind: RequestKind::Form, ..opens };
    // The time does not matter for a visitor.
    let access = |asked| match decide(app_request.app, asked, None, Moment(0)).0 {
        Answer::Pass { .. } => VisitorAccess::Passes,
        Answer::LogIn => VisitorAccess::LogsIn,
        _ => VisitorAccess::Refused,
    };
    let (opens, posts) = (access(&opens), access(&posts));
    VisitorAnswer { path, opens, posts }
}

/// Ends the connection before the client has received a byte.
pub fn without_response(connection: Option<ClientConnection>) -> Response<BoxBody> {
    if let Some(connection) = connection {
        connection.reset_at_end();
    }
    Response::new(StatusCode::SERVICE_UNAVAILABLE).set_body(BoxBody::new(Broken))
}

/// Waits longer than the client does, and then ends the connection.
pub async fn late_without_response(connection: Option<ClientConnection>) -> Response<BoxBody> {
    sleep(SLOW).await;
    without_response(connection)
}

/// A body that fails before its first byte.
struct Broken;

impl MessageBody for Broken {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())))
    }
}
