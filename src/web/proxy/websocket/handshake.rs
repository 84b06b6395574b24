//! Opens a websocket: sends the client's handshake to the upstream, and checks the upstream's answer before the client
//! gets it.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use actix_http::{ConnectionType, RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Version};
use data_encoding::BASE64;
use futures_util::future::poll_fn;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header as upstream_header;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::time::timeout;

use super::gate::StreamGate;
use super::tunnel::{Tunnel, TunnelParts};
use crate::apps::{App, Upstream};
use crate::web::http::server::ClientConnection;
use crate::web::proxy::connection::{Connection, handshake};
use crate::web::proxy::download::ResponseSource;
use crate::web::proxy::error::ProxyError;
use crate::web::proxy::request_headers::{self, RequestFacts};
use crate::web::proxy::respond::{self, ResponseContext};
use crate::web::proxy::response_headers::{self, ResponseFacts};
use crate::web::proxy::socket::{Socket, UpstreamStream};
use crate::web::proxy::upload::Upload;
use crate::web::proxy::upstream_connections::UpstreamConnections;
use crate::web::proxy::{await_head, connect, limits};

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const WEBSOCKET: &str = "websocket";

/// A client's request to open a websocket.
pub struct Handshake<'r> {
    pub app: &'r Arc<App>,
    pub upstream: &'r Upstream,
    pub head: &'r RequestHead,
    pub target: hyper::Uri,
    pub facts: RequestFacts<'r>,
    /// The answer is not for everyone.
    pub is_private: bool,
    pub client: Option<ClientConnection>,
    pub gate: StreamGate,
}

/// Other protocols than websockets are ignored (RFC 9110 §7.8): some clients offer h2c with every request.
pub fn asks_for_websocket(head: &RequestHead) -> bool {
    let protocols =
        head.headers.get_all(header::UPGRADE).flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names = protocols.map(|protocol| protocol.split(|byte| *byte == b'/').next().unwrap_or_default());
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// Returns the upstream's answer. If it is `101 Switching Protocols`, the client's connection becomes a tunnel once the
/// answer has been sent.
pub async fn open(
    connections: &Rc<UpstreamConnections>,
    asked: Handshake<'_>,
) -> Result<Response<BoxBody>, ProxyError> {
    let (app, upstream) = (asked.app, asked.upstream);
    let client = asked.client.clone().filter(ClientConnection::can_switch);
    let client = client.ok_or(ProxyError::BadRequest("the connection cannot be used for a websocket"))?;
    let accept = accept_of(key_of(asked.head)?);
    let (counted, slot) = connections.count_tunnel(app)?;
    let mut request = hyper::Request::new(Upload::Empty);
    *request.uri_mut() = asked.target;
    let mut headers = request_headers::outgoing(&asked.head.headers, &asked.facts)?;
    headers.insert(upstream_header::CONNECTION, upstream_header::HeaderValue::from_static("upgrade"));
    headers.insert(upstream_header::UPGRADE, upstream_header::HeaderValue::from_static(WEBSOCKET));
    *request.headers_mut() = headers;
    let (socket, stream) = connect::connect(upstream, &connections.shared, app.limits.connect).await?;
    let (sender, http) = handshake(stream).await?;
    let sent = send(sender, http, request);
    let answer = await_head::within(sent, None, &app.limits).await??;
    if answer.response.status() != hyper::StatusCode::SWITCHING_PROTOCOLS {
        let UpstreamAnswer { response, sender, http, is_http_over } = answer;
        let connection = Connection::adopt(sender, http.filter(|_| !is_http_over), socket, slot);
        // The connection is not used again.
        let source = ResponseSource::new(connections, app, connection, None, &response, true);
        return respond::to_client(
            response,
            ResponseContext {
                head: asked.head,
                source,
                is_private: asked.is_private,
                app_origin: asked.facts.origin,
                upstream,
                idle: app.limits.idle,
                client: Some(client),
                in_flight: counted,
            },
        );
    }
    todo!()
}
