//! The body of a request on its way to the upstream.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Payload;
use actix_web::web::Bytes;
use futures_util::Stream as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::client_pace::ClientPace;

/// The body as hyper reads it.
pub enum Upload {
    Empty,
    Streaming(Streaming),
}

pub struct Streaming {
    payload: Payload,
    /// Bytes still to come; `None` for a body without a length.
    left: Option<u64>,
    /// How many more bytes the app accepts.
    accepted: u64,
    progress: Rc<UploadProgress>,
}

/// The progress of a body, for the task that waits for the response.
#[derive(Debug)]
pub struct UploadProgress {
    /// When the upstream last accepted a part, or had accepted all that the client has sent.
    moved: Cell<Instant>,
    pace: Cell<ClientPace>,
    state: Cell<UploadState>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UploadState {
    /// The upstream is not ready for the next part.
    WaitsForUpstream,
    WaitsForClient,
    Complete,
    TooLarge,
    /// The client disconnected, or its body is malformed.
    Broken,
}

impl UploadProgress {
    pub fn moved(&self) -> Instant {
        self.moved.get()
    }

    pub fn state(&self) -> UploadState {
        self.state.get()
    }

    /// How long to wait for the client at most, from the moment at which the wait began.
    pub fn patience(&self, limit: Duration) -> Duration {
        self.pace.get().patience(limit)
    }

    fn pace(&self, change: impl FnOnce(&mut ClientPace)) {
        let mut pace = self.pace.get();
        change(&mut pace);
        self.pace.set(pace);
    }
}

impl Upload {
    /// * `length`: `None` for a body without a length.
    pub fn new(payload: Payload, length: Option<u64>, max: Option<u64>) -> (Self, Rc<UploadProgress>) {
        let progress = Rc::new(UploadProgress {
            moved: Cell::new(Instant::now()),
            pace: Cell::default(),
            state: Cell::new(UploadState::WaitsForUpstream),
        });
        let accepted = max.unwrap_or(u64::MAX);
        let streaming = Streaming { payload, left: length, accepted, progress: Rc::clone(&progress) };
        (Self::Streaming(streaming), progress)
    }
}

impl Streaming {
    fn take(&mut self, part: Bytes) -> Result<Frame<Bytes>, io::Error> {
        let count = part.len() as u64;
        let Some(accepted) = self.accepted.checked_sub(count) else {
            self.progress.state.set(UploadState::TooLarge);
            return Err(io::ErrorKind::InvalidData.into());
        };
        self.accepted = accepted;
        self.left = self.left.map(|left| left.saturating_sub(count));
        let now = Instant::now();
        self.progress.moved.set(now);
        self.progress.pace(|pace| pace.moved(count, now));
        let complete = self.left == Some(0);
        self.progress.state.set(if complete { UploadState::Complete } else { UploadState::WaitsForUpstream });
        Ok(Frame::data(part))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self::Streaming(body) = &mut *self else { return Poll::Ready(None) };
        match Pin::new(&mut body.payload).poll_next(cx) {
            Poll::Ready(Some(Ok(part))) => Poll::Ready(Some(body.take(part))),
            Poll::Ready(None) if body.left.is_none_or(|left| left == 0) => {
                body.progress.state.set(UploadState::Complete);
                Poll::Ready(None)
            }
            // A body that ends too early must not look complete.
            Poll::Ready(Some(Err(_)) | None) => {
                body.progress.state.set(UploadState::Broken);
                Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
            }
            Poll::Pending => {
                if body.progress.state.replace(UploadState::WaitsForClient) != UploadState::WaitsForClient {
                    let now = Instant::now();
                    body.progress.moved.set(now);
                    body.progress.pace(|pace| pace.waits(now));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(body) => body.left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(body) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
