//! One HTTP connection to an upstream.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::connect::connect;
use super::error::ProxyError;
use super::limits::{READ_BUFFER, READY_WITHIN, RESPONSE_HEAD, RESPONSE_HEADERS};
use super::shared::{TransportShared, UpstreamSlot};
use super::socket::{Socket, UpstreamStream};
use super::upload::Upload;
use crate::apps::Upstream;
use crate::web::streams::StreamGate;

/// HTTP on a connection, which makes progress only while it is polled.
pub type HttpDriver = http1::Connection<TokioIo<UpstreamStream>, Upload>;

pub async fn speak_http(stream: UpstreamStream) -> Result<(SendRequest<Upload>, HttpDriver), ProxyError> {
    Builder::new()
        .max_buf_size(READ_BUFFER)
        .max_header_size(RESPONSE_HEAD)
        .max_headers(RESPONSE_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ProxyError::Unreachable(error.to_string()))
}

/// Dropping a connection closes it at once, even during a response, so that the upstream learns that its response is no
/// longer wanted.
pub struct Connection {
    sender: SendRequest<Upload>,
    socket: Rc<Socket>,
    task: JoinHandle<()>,
    _counted: UpstreamSlot,
}

impl Connection {
    pub async fn open(
        upstream: &Upstream,
        shared: &Arc<TransportShared>,
        counted: UpstreamSlot,
        within: Duration,
    ) -> Result<Self, ProxyError> {
        let (socket, stream) = connect(upstream, shared, within).await?;
        let (sender, http) = speak_http(stream).await?;
        Ok(Self::new(sender, http, socket, counted))
    }

    /// A connection that no task drives yet.
    pub fn new(
        sender: SendRequest<Upload>,
        http: HttpDriver,
        socket: Rc<Socket>,
        counted: UpstreamSlot,
    ) -> Self {
        let task = spawn(async move {
            // The futures of the request and of the body report its errors.
            let _ = http.await;
        });
        Self { sender, socket, task, _counted: counted }
    }

    /// Whether another request can be sent now.
    pub async fn is_usable(&mut self) -> bool {
        let ready = self.sender.is_ready()
            || timeout(READY_WITHIN, self.sender.ready()).await.is_ok_and(|ready| ready.is_ok());
        ready && !self.sender.is_closed() && self.socket.is_silent()
    }

    /// From now on it carries the request of this stream; `None`: it carries no request.
    pub fn guard(&self, gate: Option<Rc<StreamGate>>) {
        self.socket.guard(gate);
    }

    /// Bytes that the upstream has sent on this connection.
    pub fn received(&self) -> u64 {
        self.socket.received()
    }

    pub fn send(
        &mut self,
        request: Request<Upload>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload>>>> + use<> {
        self.sender.try_send_request(request)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
