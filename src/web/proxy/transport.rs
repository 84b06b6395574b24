//! Passes a request on to the upstream, and returns its response.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use actix_http::{Payload, Request, RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::http::{Method, header};
use latchkey_sessions::{Direction, WriteGate as _};

use super::download::ResponseSource;
use super::error::ProxyError;
use super::exchange::exchange;
use super::identity::Identity;
use super::incoming::Incoming;
use super::outgoing_head::OutgoingHead;
use super::request_headers::{self, BodyLength, RequestFacts};
use super::respond::{self, ResponseContext};
use super::response_head::{ReceivedHeaders, ResponseHead};
use super::sending::Sending;
use super::shared::TransportShared;
use super::upload::{Upload, UploadState};
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
            // Until a side is written, nothing else wakes the task if access ends.
            poll_fn(|cx| {
                gate.register(Direction::Down, cx);
                Poll::Ready(())
            })
            .await;
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
            let asked =
                Handshake { app, head, target: &target, facts, is_private, client: connection, gate: passed };
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
        let (response, incoming, source) = unless_cut(sent, gate.as_ref())?;
        if let (Some(gate), true) = (&gate, is_event_stream(&response.headers)) {
            gate.note_events();
        }
        respond::to_client(
            response,
            incoming,
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
        target: &str,
        facts: &RequestFacts<'_>,
        payload: Payload,
        gate: Option<&Rc<StreamGate>>,
    ) -> Result<(ResponseHead, Incoming, ResponseSource), ProxyError> {
        let repeatable = matches!(facts.body, BodyLength::None { .. }) && is_idempotent(&head.method);
        let length = match facts.body {
            BodyLength::None { .. } => Some(0),
            BodyLength::Sized(length) => Some(length),
            BodyLength::Chunked => None,
        };
        let upload = (length != Some(0)).then(|| Upload::new(payload, length, app.limits.max_body));
        let (upload, progress) = upload.unzip();
        let mut out = OutgoingHead::new(head.method.as_str(), target);
        request_headers::write(&head.headers, facts, &mut out)?;
        let out = out.finish();
        let mut sending = Sending::new(out.clone(), upload);
        let mut again = false;
        loop {
            let idle = if again { None } else { self.0.take_idle(app, repeatable) };
            let reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.0.open(app, facts.upstream).await?,
            };
            let before = connection.received();
            connection.guard(gate.cloned());
            let exchanged = exchange(&mut connection, &mut sending);
            let error = match await_head::within(exchanged, progress.as_deref(), &app.limits).await? {
                Ok((response, received)) => {
                    let framing = response.framing(head.method == Method::HEAD)?;
                    let of_one_user = authenticates_connection(head, &response.headers);
                    let keep = if of_one_user { None } else { response.kept_for(framing) };
                    let source = ResponseSource::new(&self.0, app, connection, sending, keep);
                    return Ok((response, Incoming::new(framing, received), source));
                }
                Err(error) => error,
            };
            match progress.as_ref().map(|progress| progress.state()) {
                Some(UploadState::TooLarge) => return Err(ProxyError::BodyTooLarge),
                Some(UploadState::Broken) => return Err(ProxyError::ClientGone),
                // No byte was sent, because the connection was already closed.
                _ if reused && !sending.has_begun() => {}
                _ if reused && repeatable && connection.received() == before => {
                    sending = Sending::new(out.clone(), None);
                }
                _ => return Err(error),
            }
            again = true;
        }
    }
}

fn is_event_stream(headers: &ReceivedHeaders) -> bool {
    let prefix = b"text/event-stream";
    let mut media = headers.all(header::CONTENT_TYPE);
    media
        .next()
        .and_then(|media| media.get(..prefix.len()))
        .is_some_and(|media| media.eq_ignore_ascii_case(prefix))
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
fn authenticates_connection(head: &RequestHead, response: &ReceivedHeaders) -> bool {
    let names_scheme = |value: &[u8]| {
        value.split(|byte| *byte == b',').any(|challenge| {
            let scheme = challenge.trim_ascii().split(|byte| *byte == b' ').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate")
        })
    };
    head.headers.get_all(header::AUTHORIZATION).any(|value| names_scheme(value.as_bytes()))
        || response.all(header::WWW_AUTHENTICATE).any(names_scheme)
}

/// Sending these twice does what sending them once does (RFC 9110 §9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
