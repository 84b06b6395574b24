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
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderName, TRANSFER_ENCODING};
use hyper::{Response, Version};

use super::connection::Connection;
use super::limits::{IDLE, IDLE_MARGIN, LONGEST_IDLE};
use super::shared::Counted;
use super::upload::{UploadProgress, UploadState};
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
    upload: Option<Rc<UploadProgress>>,
    /// How long the connection may be kept for another request; `None` if the upstream will close it.
    keep: Option<Duration>,
}

impl ResponseSource {
    pub fn new(
        connections: &Rc<UpstreamConnections>,
        app: &Arc<App>,
        connection: Connection,
        upload: Option<Rc<UploadProgress>>,
        response: &Response<Incoming>,
        of_one_user: bool,
    ) -> Self {
        Self {
            connections: Rc::clone(connections),
            app: Arc::clone(app),
            connection: Some(connection),
            upload,
            keep: if of_one_user { None } else { kept_for(response) },
        }
    }

    /// The response is complete: keeps the connection for another request, if the request was sent completely.
    pub fn complete(&mut self) {
        let is_sent = self.upload.as_ref().is_none_or(|upload| upload.state() == UploadState::Complete);
        if let (Some(connection), Some(keep), true) = (self.connection.take(), self.keep, is_sent) {
            connection.guard(None);
            self.connections.keep(&self.app, connection, keep);
        }
    }
}

/// How long the upstream keeps the connection open, if it says so.
fn kept_for(response: &Response<Incoming>) -> Option<Duration> {
    let headers = response.headers();
    let words = |name| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim)
    };
    let ends_with_connection =
        response.body().size_hint().exact().is_none() && !headers.contains_key(TRANSFER_ENCODING);
    let closes = words(CONNECTION).any(|word| word.eq_ignore_ascii_case("close"));
    if response.version() != Version::HTTP_11 || closes || ends_with_connection {
        return None;
    }
    let timeout = words(HeaderName::from_static("keep-alive")).find_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok())?
    });
    let Some(timeout) = timeout else { return Some(IDLE) };
    let kept = Duration::from_secs(timeout).saturating_sub(IDLE_MARGIN).min(LONGEST_IDLE);
    (!kept.is_zero()).then_some(kept)
}

impl Download {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    // Trailers are not passed on.
                    if let Ok(part) = frame.into_data()
                        && !part.is_empty()
                    {
                        return Poll::Ready(Some(Ok(part)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let idle = self.idle;
                    let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
                    return waiting
                        .as_mut()
                        .poll(cx)
                        .map(|()| Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
                }
            }
        }
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
                this.source.complete();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
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
            part => part,
        }
    }
}
