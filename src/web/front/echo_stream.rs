//! A websocket of the doctor: it stays open until a proxy in between ends it.

use std::time::{Duration, Instant};

use actix_http::{RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::rt::time::timeout;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::web::http::server::{ClientConnection, RawStream};
use crate::web::proxy::accept_of;

/// A ping without a payload (RFC 6455 §5.5.2).
const PING: [u8; 2] = [0x89, 0];

/// More often than proxies give up silent connections.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Longer than the doctor waits.
const LONGEST: Duration = Duration::from_secs(1200);

/// Accepts the handshake in `head`; `None` if it is none.
pub fn open(head: &RequestHead, connection: &ClientConnection) -> Option<Response<BoxBody>> {
    let key = head.headers.get("sec-websocket-key").filter(|_| connection.can_switch())?;
    let accept = HeaderValue::from_str(&accept_of(key.as_bytes())).ok()?;
    connection.switch_to(Box::new(|client: RawStream| Box::pin(stay(client))));
    let mut switching = Response::new(StatusCode::SWITCHING_PROTOCOLS).set_body(BoxBody::new(()));
    switching.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    switching.headers_mut().insert(HeaderName::from_static("sec-websocket-accept"), accept);
    Some(switching)
}

/// Until the other side ends the connection.
async fn stay(mut client: RawStream) {
    let opened = Instant::now();
    while opened.elapsed() < LONGEST && client.write_all(&PING).await.is_ok() {
        if timeout(PING_EVERY, ended(&mut client)).await.is_ok() {
            return;
        }
    }
}

/// Discards pongs.
async fn ended(client: &mut RawStream) {
    let mut received = [0; 256];
    while client.read(&mut received).await.is_ok_and(|length| length > 0) {}
}
