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
use tokio::time::Instant;

use super::client_pace::ClientPace;

pub struct Upload {
    payload: Payload,
    is_chunked: bool,
    is_over: bool,
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
        let upload = Self {
            payload,
            is_chunked: length.is_none(),
            is_over: length == Some(0),
            left: length,
            accepted,
            progress: Rc::clone(&progress),
        };
        (upload, progress)
    }

    /// Whether the upstream receives it in chunks, because its length is not known.
    pub fn is_chunked(&self) -> bool {
        self.is_chunked
    }

    /// Whether the client has sent all of it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next part, which is never empty; `None` at the end. Take a part only when the one before was sent.
    pub fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(part))) if part.is_empty() => {}
                Poll::Ready(Some(Ok(part))) => return Poll::Ready(Some(self.take(part))),
                Poll::Ready(None) if self.left.is_none_or(|left| left == 0) => {
                    self.is_over = true;
                    self.progress.state.set(UploadState::Complete);
                    return Poll::Ready(None);
                }
                // A body that ends too early must not look complete.
                Poll::Ready(Some(Err(_)) | None) => {
                    self.progress.state.set(UploadState::Broken);
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Pending => {
                    let before = self.progress.state.replace(UploadState::WaitsForClient);
                    if before != UploadState::WaitsForClient {
                        let now = Instant::now();
                        self.progress.moved.set(now);
                        self.progress.pace(|pace| pace.waits(now));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn take(&mut self, part: Bytes) -> io::Result<Bytes> {
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
        self.is_over = self.left == Some(0);
        self.progress.state.set(if self.is_over {
            UploadState::Complete
        } else {
            UploadState::WaitsForUpstream
        });
        Ok(part)
    }
}
