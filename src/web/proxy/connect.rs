//! Opens a connection to an upstream.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::spawn_blocking;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::error::ProxyError;
use super::limits::UPLOAD_SEND_BUFFER;
use super::shared::TransportShared;
use super::socket::{Socket, SocketStream, UpstreamStream};
use crate::apps::Upstream;

/// Resolves the name, connects, and completes the TLS handshake within the given time.
pub async fn connect(
    upstream: &Upstream,
    shared: &Arc<TransportShared>,
    within: Duration,
) -> Result<(Rc<Socket>, UpstreamStream), ProxyError> {
    let deadline = Instant::now() + within;
    timeout_at(deadline, connected(upstream, shared, deadline))
        .await
        .unwrap_or(Err(ProxyError::ConnectTimeout))
}

async fn connected(
    upstream: &Upstream,
    shared: &Arc<TransportShared>,
    deadline: Instant,
) -> Result<(Rc<Socket>, UpstreamStream), ProxyError> {
    let host = &upstream.host;
    let addresses = shared.resolver.resolve(host).await;
    let addresses = addresses.map_err(|why| ProxyError::Unreachable(format!("{host}: {why}")))?;
    let mut failed = ProxyError::Unreachable(format!("{host} has no address"));
    for (at, address) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*address, upstream.port);
        let now = Instant::now();
        // Each address gets a part of the time, so that one that does not answer leaves time for the others.
        let others = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let until = now + deadline.duration_since(now) / others;
        let connected = timeout_at(until, TcpStream::connect(address)).await;
        match connected.map_err(io::Error::from).flatten() {
            Ok(tcp) => return secured(tcp, upstream, shared).await,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => failed = ProxyError::ConnectTimeout,
            Err(error) => failed = ProxyError::Unreachable(format!("{address}: {error}")),
        }
    }
    Err(failed)
}

async fn secured(
    tcp: TcpStream,
    upstream: &Upstream,
    shared: &Arc<TransportShared>,
) -> Result<(Rc<Socket>, UpstreamStream), ProxyError> {
    let unreachable = |error: String| ProxyError::Unreachable(format!("{}: {error}", upstream.host));
    tcp.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
    // If this fails, the kernel chooses the size.
    let _ = SockRef::from(&tcp).set_send_buffer_size(UPLOAD_SEND_BUFFER);
    let socket = Socket::new(tcp);
    let stream = SocketStream::new(&socket);
    if !upstream.tls {
        return Ok((socket, UpstreamStream::Plain(stream)));
    }
    let connector = match shared.tls.known(upstream.ca.as_ref()) {
        Some(connector) => connector,
        None => {
            let (shared, ca) = (Arc::clone(shared), upstream.ca.clone());
            let loaded = spawn_blocking(move || shared.tls.load(ca)).await;
            let loaded = loaded.map_err(|_| unreachable("certificates cannot be read".into()))?;
            loaded.map_err(|error| unreachable(format!("certificates: {error}")))?
        }
    };
    let stream = connector.connect(&upstream.host, stream).await;
    let stream = stream.map_err(|error| unreachable(format!("TLS: {error}")))?;
    Ok((socket, UpstreamStream::Tls(Box::new(stream))))
}
