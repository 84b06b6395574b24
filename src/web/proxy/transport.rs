//! Passes a request on to the upstream, and returns its response.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::{Payload, Request, RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::http::{Method, header};
use hyper::Uri;
use hyper::body::Incoming;
use latchkey_sessions::WriteGate as _;

use super::download::ResponseSource;
use super::error::ProxyError;
use super::identity::Identity;
use super::request_headers::{self, BodyLength, RequestFacts};
use super::respond::{self, ResponseContext};
use super::shared::TransportShared;
use super::upload::{Upload, UploadProgress, UploadState};
use super::upstream_connections::UpstreamConnections;
use super::websocket::{self, Handshake};
use super::{await_head, target};
use crate::apps::{App, AppOrigin};
use crate::web::http::server::ClientConnection;
use crate::web::streams::StreamGate;

/// The transport of one worker.
pub struct Transport(pub(super) Rc<UpstreamConnections>);

/// The facts about the client of a request.
#[derive(Clone, Copy)]
pub struct ClientFacts<'a> {
    pub address: Option<IpAddr>,
    /// The origin of the app that the request is for.
    pub origin: &'a AppOrigin,
}

impl Transport {
    pub fn new(shared: Arc<TransportShared>) -> Rc<Self> {
        Rc::new(Self(UpstreamConnections::new(shared)))
    }

    /// Sends the request to the app's upstream and returns its response, whose body is still arriving. Removes every
    /// identity header of the client, and adds ours if there is an `identity`. From then on nothing is written to
    /// either side without a permit of `gate`.
    pub async fn forward(
        &self,
        app: &Arc<App>,
        mut request: Request,
        identity: Option<&Identity<'_>>,
        client: &ClientFacts<'_>,
        gate: Option<Rc<StreamGate>>,
    ) -> Result<Response<BoxBody>, ProxyError> {
        let connection = ClientConnection::serve_app(&request, app.limits.idle);
        if let (Some(connection), Some(gate)) = (&connection, &gate) {
            connection.guard(gate.clone());
        }
        let payload = request.take_payload();
        let head = request.head();
        let target = target::of(head)?;
        let upstream = app.upstream.as_ref().ok_or(ProxyError::NoUpstream)?;
        let body = body_length(head, &payload);
        let facts =
            RequestFacts { app, upstream, identity, client: client.address, origin: client.origin, body };
        let is_private = identity.is_some() || depends_on_network(app);
        if websocket::asks_for_websocket(head) {
            let passed = gate.clone();
            let asked = Handshake { app, head, target, facts, is_private, client: connection, gate: passed };
            return unless_cut(websocket::open(&self.0, asked).await, gate.as_ref());
        }
        if let (BodyLength::Sized(length), Some(max)) = (body, app.limits.max_body)
            && length > max
        {
            return Err(ProxyError::BodyTooLarge);
        }
        let most = usize::try_from(app.limits.max_in_flight).unwrap_or(usize::MAX);
        let requests = self.0.requests_of(app);
        let in_flight = requests.count(most).ok_or(ProxyError::TooManyInFlight)?;
        let sent = self.exchange(app, head, &target, &facts, payload, gate.as_ref()).await;
        let (response, source) = unless_cut(sent, gate.as_ref())?;
        if let (Some(gate), true) = (&gate, is_event_stream(response.headers())) {
            gate.note_events();
        }
        respond::to_client(
            response,
            ResponseContext {
                head,
                source,
                is_private,
                app_origin: client.origin,
                upstream,
                idle: app.limits.idle,
                client: connection,
                in_flight,
            },
        )
    }

    /// Sends the request, at most twice: the upstream may have closed an idle connection in the meantime.
    async fn exchange(
        &self,
        app: &Arc<App>,
        head: &RequestHead,
        target: &Uri,
        facts: &RequestFacts<'_>,
        payload: Payload,
        gate: Option<&Rc<StreamGate>>,
    ) -> Result<(hyper::Response<Incoming>, ResponseSource), ProxyError> {
        let method = hyper::Method::from_bytes(head.method.as_str().as_bytes());
        let method = method.map_err(|_| ProxyError::BadRequest("the method is invalid"))?;
        let repeatable = matches!(facts.body, BodyLength::None { .. }) && is_idempotent(&head.method);
        let (mut body, upload) = match facts.body {
            BodyLength::None { .. } => (Upload::Empty, None),
            BodyLength::Sized(length) => uploaded(payload, Some(length), app),
            BodyLength::Chunked => uploaded(payload, None, app),
        };
        let mut again = false;
        loop {
            let idle = if again { None } else { self.0.take_idle(app, repeatable).await };
            let reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.0.open(app, facts.upstream).await?,
            };
            let mut request = hyper::Request::new(body);
            *request.method_mut() = method.clone();
            *request.uri_mut() = target.clone();
            *request.headers_mut() = request_headers::outgoing(&head.headers, facts)?;
            let before = connection.received();
            connection.guard(gate.cloned());
            let sent = connection.send(request);
            let mut error = match await_head::within(sent, upload.as_deref(), &app.limits).await? {
                Ok(response) => {
                    let of_one_user = authenticates_connection(head, response.headers());
                    let source =
                        ResponseSource::new(&self.0, app, connection, upload, &response, of_one_user);
                    return Ok((response, source));
                }
                Err(error) => error,
            };
            // No byte was written, because the connection was already closed.
            if reused && let Some(unsent) = error.take_message() {
                (body, again) = (unsent.into_body(), true);
                continue;
            }
            if reused && repeatable && connection.received() == before {
                (body, again) = (Upload::Empty, true);
                continue;
            }
            return Err(match upload.as_ref().map(|upload| upload.state()) {
                Some(UploadState::TooLarge) => ProxyError::BodyTooLarge,
                Some(UploadState::Broken) => ProxyError::ClientGone,
                _ => ProxyError::BadResponse(explain(error.error())),
            });
        }
    }
}

fn is_event_stream(headers: &hyper::HeaderMap) -> bool {
    let media = headers.get(hyper::header::CONTENT_TYPE).map(hyper::header::HeaderValue::as_bytes);
    media.is_some_and(|media| media.to_ascii_lowercase().starts_with(b"text/event-stream"))
}

fn uploaded(payload: Payload, length: Option<u64>, app: &App) -> (Upload, Option<Rc<UploadProgress>>) {
    let (upload, progress) = Upload::new(payload, length, app.limits.max_body);
    (upload, Some(progress))
}

/// How the parser has framed the request.
fn body_length(head: &RequestHead, payload: &Payload) -> BodyLength {
    let length = head.headers.get(header::CONTENT_LENGTH);
    if matches!(payload, Payload::None) {
        return BodyLength::None { said: length.is_some() };
    }
    let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    length.map_or(BodyLength::Chunked, BodyLength::Sized)
}

/// An error of a stream that was ended is the failure of its connections.
fn unless_cut<R>(sent: Result<R, ProxyError>, gate: Option<&Rc<StreamGate>>) -> Result<R, ProxyError> {
    match gate.and_then(|gate| gate.end()) {
        Some(_) if sent.is_err() => Err(ProxyError::ClientGone),
        _ => sent,
    }
}

/// An open rule for some networks: the response must not reach others from a cache.
fn depends_on_network(app: &App) -> bool {
    app.rules.iter().any(|rule| !rule.when.networks.is_empty())
}

/// These schemes authenticate the connection, not the request (RFC 4559 §6): another user's request must not follow.
fn authenticates_connection(head: &RequestHead, response: &hyper::HeaderMap) -> bool {
    let names_scheme = |value: &[u8]| {
        value.split(|byte| *byte == b',').any(|challenge| {
            let scheme = challenge.trim_ascii().split(|byte| *byte == b' ').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate")
        })
    };
    head.headers.get_all(header::AUTHORIZATION).any(|value| names_scheme(value.as_bytes()))
        || response
            .get_all(hyper::header::WWW_AUTHENTICATE)
            .iter()
            .any(|value| names_scheme(value.as_bytes()))
}

/// Sending these twice does what sending them once does (RFC 9110 §9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// The error with its cause, which hyper's own text leaves out.
fn explain(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
