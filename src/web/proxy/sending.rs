//! A request on its way to the upstream: its head, then its body as the client sends it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::web::Bytes;
use tokio::io::AsyncWrite as _;

use super::socket::UpstreamStream;
use super::upload::Upload;

pub struct Sending {
    /// Bytes to be written.
    queue: VecDeque<Bytes>,
    /// The rest of the body.
    upload: Option<Upload>,
    /// Whether the upstream has accepted a byte.
    has_begun: bool,
}

/// How many pieces are written at once: a head, and a chunk with what stands before and behind it.
const PIECES: usize = 4;

impl Sending {
    pub fn new(head: Bytes, upload: Option<Upload>) -> Self {
        Self { queue: VecDeque::from([head]), upload, has_begun: false }
    }

    /// Whether the whole request was sent.
    pub fn is_complete(&self) -> bool {
        self.queue.is_empty() && self.upload.is_none()
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Sends what the client has sent so far. Ready when the whole request was sent.
    pub fn poll(&mut self, stream: &mut UpstreamStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // The first part goes with the head. Each other one is taken when the one before was written.
            if self.queue.is_empty() || !self.has_begun && self.queue.len() == 1 {
                self.take_part(cx)?;
            }
            if self.queue.is_empty() {
                return if self.upload.is_none() { Pin::new(stream).poll_flush(cx) } else { Poll::Pending };
            }
            let written = ready!(self.write(stream, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_begun = true;
            self.remove(written);
        }
    }

    fn take_part(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let part = match upload.poll_part(cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(part) => part.transpose()?,
        };
        match part {
            Some(part) if !upload.is_chunked() => self.queue.push_back(part),
            Some(part) => {
                self.queue.push_back(format!("{:x}\r\n", part.len()).into());
                self.queue.push_back(part);
                self.queue.push_back(Bytes::from_static(b"\r\n"));
            }
            None if upload.is_chunked() => self.queue.push_back(Bytes::from_static(b"0\r\n\r\n")),
            None => {}
        }
        if upload.is_over() {
            self.upload = None;
        }
        Ok(())
    }

    fn write(&self, stream: &mut UpstreamStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        for (piece, bytes) in pieces.iter_mut().zip(&self.queue) {
            *piece = IoSlice::new(bytes);
        }
        match &pieces[..self.queue.len().min(PIECES)] {
            [piece] => Pin::new(stream).poll_write(cx, piece),
            pieces => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn remove(&mut self, mut written: usize) {
        while let Some(first) = self.queue.front_mut() {
            if written < first.len() {
                // The part that was written.
                drop(first.split_to(written));
                return;
            }
            written -= first.len();
            self.queue.pop_front();
        }
    }
}
