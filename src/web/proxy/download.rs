//! The body of a response on its way to the client.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::Bytes;

use super::connection::Connection;
use super::incoming::Incoming;
use super::sending::Sending;
use super::shared::Counted;
use super::upstream_connections::UpstreamConnections;
use crate::apps::App;
use crate::web::http::server::ClientConnection;

pub struct Download {
    pub incoming: Incoming,
    pub size: BodySize,
    pub source: ResponseSource,
    pub idle: Duration,
    pub waiting: Option<Pin<Box<Sleep>>>,
    pub failed: Option<Box<dyn Error>>,
    /// Set if the end of the connection marks the end of the body. A failure must then reset the connection.
    pub ends_with_connection: Option<ClientConnection>,
    pub _in_flight: Counted,
}

/// Where the body comes from.
pub struct ResponseSource {
    connections: Rc<UpstreamConnections>,
    app: Arc<App>,
    connection: Option<Connection>,
    /// The rest of the request, if the response has begun before all of it was sent.
    sending: Option<Sending>,
    /// How long the connection may be kept for another request; `None` if the upstream will close it.
    keep: Option<Duration>,
}

impl ResponseSource {
    pub fn new(
        connections: &Rc<UpstreamConnections>,
        app: &Arc<App>,
        connection: Connection,
        sending: Sending,
        keep: Option<Duration>,
    ) -> Self {
        Self {
            connections: Rc::clone(connections),
            app: Arc::clone(app),
            connection: Some(connection),
            sending: Some(sending).filter(|sending| !sending.is_complete()),
            keep,
        }
    }

    /// The response is complete: keeps the connection for another request, if nothing is left of this one.
    pub fn complete(&mut self, incoming: &Incoming) {
        let is_left = self.sending.is_some() || incoming.is_followed();
        if let (Some(connection), Some(keep), false) = (self.connection.take(), self.keep, is_left) {
            connection.guard(None);
            self.connections.keep(&self.app, connection, keep);
        }
    }

    /// Sends more of the request, and receives more of the response.
    fn poll_part(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        match self.sending.as_mut().map(|sending| connection.poll_send(sending, cx)) {
            Some(Poll::Ready(Err(error))) => return Poll::Ready(Some(Err(error))),
            Some(Poll::Ready(Ok(()))) => self.sending = None,
            Some(Poll::Pending) | None => {}
        }
        incoming.poll_part(connection, cx)
    }
}

impl Download {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Poll::Ready(part) = self.source.poll_part(&mut self.incoming, cx) {
            self.waiting = None;
            return Poll::Ready(part);
        }
        let idle = self.idle;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
        waiting.as_mut().poll(cx).map(|()| Some(Err(io::ErrorKind::TimedOut.into())))
    }
}

impl MessageBody for Download {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.poll_part(cx) {
            Poll::Ready(None) => {
                this.source.complete(&this.incoming);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.into();
                this.source.connection = None;
                if let Some(client) = &this.ends_with_connection {
                    client.reset_at_end();
                    return Poll::Ready(Some(Err(error)));
                }
                // First send the data that has arrived: otherwise actix would end the connection without sending it.
                this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(part))) => Poll::Ready(Some(Ok(part))),
            Poll::Pending => Poll::Pending,
        }
    }
}
