//! Opens a websocket: sends the client's handshake to the upstream, and checks the upstream's answer before the client
//! gets it (RFC 6455 §4).

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
use sha1::{Digest as _, Sha1};

use super::tunnel::{Tunnel, TunnelParts};
use crate::apps::App;
use crate::web::http::server::{ClientConnection, RawStream};
use crate::web::proxy::await_head;
use crate::web::proxy::connection::Connection;
use crate::web::proxy::download::ResponseSource;
use crate::web::proxy::error::ProxyError;
use crate::web::proxy::exchange::exchange;
use crate::web::proxy::incoming::Incoming;
use crate::web::proxy::limits::keep_alive;
use crate::web::proxy::outgoing_head::OutgoingHead;
use crate::web::proxy::request_headers::{self, RequestFacts};
use crate::web::proxy::respond::{self, ResponseContext};
use crate::web::proxy::response_head::ReceivedHeaders;
use crate::web::proxy::response_headers::{self, ResponseFacts};
use crate::web::proxy::sending::Sending;
use crate::web::proxy::upstream_connections::UpstreamConnections;
use crate::web::streams::StreamGate;

const WEBSOCKET: &str = "websocket";
const ACCEPT: &str = "sec-websocket-accept";

/// Appended to the client's key before it is hashed (RFC 6455 §1.3).
const PROTOCOL_ID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A client's request to open a websocket, which the rules allow.
pub struct Handshake<'r> {
    pub app: &'r Arc<App>,
    pub head: &'r RequestHead,
    pub target: &'r str,
    pub facts: RequestFacts<'r>,
    /// The response is not for everyone, so shared caches must not store it.
    pub is_private: bool,
    pub client: Option<ClientConnection>,
    pub gate: Option<Rc<StreamGate>>,
}

/// Other protocols than websockets are ignored (RFC 9110 §7.8): some clients offer h2c with every request.
pub fn asks_for_websocket(head: &RequestHead) -> bool {
    let protocols =
        head.headers.get_all(header::UPGRADE).flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names = protocols.map(|protocol| protocol.split(|byte| *byte == b'/').next().unwrap_or_default());
    names.any(is_websocket)
}

fn is_websocket(protocol: &[u8]) -> bool {
    protocol.trim_ascii().eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
pub fn accept_of(key: &[u8]) -> String {
    BASE64.encode(&Sha1::new().chain_update(key).chain_update(PROTOCOL_ID).finalize())
}

/// Returns the upstream's response. If that is `101 Switching Protocols`, the client's connection becomes a tunnel once
/// the response has been sent.
pub async fn open(
    connections: &Rc<UpstreamConnections>,
    asked: Handshake<'_>,
) -> Result<Response<BoxBody>, ProxyError> {
    let (app, facts, head) = (asked.app, &asked.facts, asked.head);
    let accept = accept_of(checked_key(head)?);
    let client = switchable(asked.client)?;
    let (counted, slot) = connections.count_tunnel(app)?;
    let mut out = OutgoingHead::new(Method::GET.as_str(), asked.target);
    request_headers::write(&head.headers, facts, &mut out)?;
    out.append("connection", b"upgrade")?;
    out.append("upgrade", WEBSOCKET.as_bytes())?;
    let mut sending = Sending::new(out.finish(), None);
    let asking = async {
        let connecting = Connection::open(facts.upstream, &connections.shared, slot, app.limits.connect);
        let mut connection = connecting.await?;
        connection.guard(asked.gate.clone());
        let exchanged = exchange(&mut connection, &mut sending);
        let (response, received) = await_head::within(exchanged, None, &app.limits).await??;
        Ok((connection, response, received))
    };
    let (connection, response, received) = while_switchable(&client, asking).await?;
    let framing = response.framing(false)?;
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        // The connection is not used for another request.
        let source = ResponseSource::new(connections, app, connection, sending, None);
        return respond::to_client(
            response,
            Incoming::new(framing, received),
            ResponseContext {
                head,
                source,
                is_private: asked.is_private,
                app_origin: facts.origin,
                upstream: facts.upstream,
                idle: app.limits.idle,
                client: Some(client),
                in_flight: counted,
            },
        );
    }
    check_switch(&response.headers, &accept)?;
    let client = switchable(Some(client))?;
    let (upstream, socket, slot) = connection.into_parts();
    // From now on, the tunnel asks the gate.
    socket.guard(None);
    socket.keep_alive(&keep_alive());
    let parts = TunnelParts { upstream, received, gate: asked.gate, counted: (counted, slot) };
    let app = Arc::clone(app);
    client.switch_to(Box::new(move |client: RawStream| Box::pin(Tunnel::new(client, &app, parts).run())));
    let to_client =
        ResponseFacts { is_private: asked.is_private, app_origin: facts.origin, upstream: facts.upstream };
    let mut switching = Response::new(StatusCode::SWITCHING_PROTOCOLS).set_body(BoxBody::new(()));
    response_headers::write(response.headers, &to_client, switching.headers_mut());
    switching.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    Ok(switching)
}

/// Bytes after the head could be another request, which a proxy in front has sent for another client.
const FOLLOWED: ProxyError = ProxyError::BadRequest("something follows the request for a websocket");

fn switchable(client: Option<ClientConnection>) -> Result<ClientConnection, ProxyError> {
    client.filter(ClientConnection::can_switch).ok_or(FOLLOWED)
}

/// Gives up `asking` as soon as bytes follow the request. The connection's task reads before each poll.
async fn while_switchable<T>(
    client: &ClientConnection,
    asking: impl Future<Output = Result<T, ProxyError>>,
) -> Result<T, ProxyError> {
    let mut asking = pin!(asking);
    poll_fn(|cx| if client.can_switch() { asking.as_mut().poll(cx) } else { Poll::Ready(Err(FOLLOWED)) })
        .await
}

/// The key of a valid handshake without a body (RFC 6455 §4.2.1). The upstream checks the version.
fn checked_key(head: &RequestHead) -> Result<&[u8], ProxyError> {
    let only = |name: HeaderName| {
        let mut values = head.headers.get_all(name);
        values.next().filter(|_| values.next().is_none()).map(HeaderValue::as_bytes)
    };
    let has_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|name| head.headers.get(name).is_some_and(|value| value != "0"));
    let is_handshake = head.method == Method::GET
        && head.version == Version::HTTP_11
        && only(header::UPGRADE).is_some_and(is_websocket)
        && head.connection_type() == ConnectionType::Upgrade
        && !has_body;
    only(HeaderName::from_static("sec-websocket-key"))
        .filter(|_| is_handshake)
        .ok_or(ProxyError::BadRequest("the handshake of the websocket is invalid"))
}

/// Whether the upstream has accepted the handshake (RFC 6455 §4.1). If it has not, the client must not believe that it
/// is talking to a websocket.
fn check_switch(headers: &ReceivedHeaders, accept: &str) -> Result<(), ProxyError> {
    let is_upgrade = headers.words(header::CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
    let is_accepted = headers.all(HeaderName::from_static(ACCEPT)).eq([accept.as_bytes()]);
    let mut upgrades = headers.all(header::UPGRADE);
    let to_websocket = upgrades.next().is_some_and(is_websocket) && upgrades.next().is_none();
    if is_upgrade && is_accepted && to_websocket {
        Ok(())
    } else {
        Err(ProxyError::BadResponse("it switches to another protocol than this websocket".into()))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::Uri;

    use super::*;

    /// The handshake of the RFC, with these headers replaced (empty: removed).
    fn head(change: &[(&'static str, &'static str)]) -> RequestHead {
        let mut head = RequestHead::default();
        head.uri = Uri::from_static("/chat");
        let headers = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ];
        for (name, value) in headers.iter().filter(|(name, _)| !change.iter().any(|(new, _)| new == name)) {
            head.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in change.iter().filter(|(_, value)| !value.is_empty()) {
            head.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if head.headers.get("connection").is_some_and(|value| value == "Upgrade") {
            head.set_connection_type(ConnectionType::Upgrade);
        }
        head
    }

    #[test]
    fn only_the_handshake_of_the_rfc_without_a_body_is_passed_on() {
        assert_eq!(accept_of(checked_key(&head(&[])).unwrap()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(checked_key(&head(&[("upgrade", "WebSocket"), ("content-length", "0")])).is_ok());
        for wrong in [
            &[("upgrade", "websocket"), ("upgrade", "websocket")][..],
            &[("upgrade", "websocket, h2c")],
            &[("upgrade", "websocket/13")],
            &[("connection", "close")],
            &[("content-length", "5")],
            &[("transfer-encoding", "chunked")],
            &[("sec-websocket-key", "")],
            &[("sec-websocket-key", "a"), ("sec-websocket-key", "b")],
        ] {
            assert!(checked_key(&head(wrong)).is_err(), "{wrong:?}");
        }
        let mut posted = head(&[]);
        posted.method = Method::POST;
        assert!(checked_key(&posted).is_err());
        let mut old = head(&[]);
        old.version = Version::HTTP_10;
        assert!(checked_key(&old).is_err());
    }

    #[test]
    fn an_upstream_has_to_answer_this_handshake() {
        let check = |headers: &[(&'static str, &'static str)]| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            check_switch(&ReceivedHeaders(headers.iter().map(header).collect()), "yes").is_ok()
        };
        let right = [("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade"), (ACCEPT, "yes")];
        assert!(check(&right));
        for (at, wrong) in [(0, "h2c"), (1, "keep-alive"), (2, "no")] {
            let mut headers = right;
            headers[at].1 = wrong;
            assert!(!check(&headers), "{wrong}");
            headers[at] = right[(at + 1) % 3];
            assert!(!check(&headers), "{at} is missing");
        }
        assert!(!check(&[right[0], right[1], right[2], right[2]]));
    }
}
