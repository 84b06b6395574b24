//! One direction of a websocket: reads from one side, and writes to the other side while access lasts.

use std::mem::{MaybeUninit, take};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::web::{Buf as _, Bytes};
use latchkey_sessions::{Direction, StreamEnd, WriteGate as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::FrameScanner;
use crate::web::proxy::limits::TUNNEL_PIECE;
use crate::web::streams::StreamGate;

pub struct OneWay {
    direction: Direction,
    /// Bytes that were read and are not written yet. Nothing more is read until they are written.
    pending: Bytes,
    /// The frames that were written.
    frames: FrameScanner,
    end: SourceEnd,
}

/// Whether the side that this direction reads from has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum SourceEnd {
    Open,
    /// It has ended, and the end has not been passed on to the other side.
    Read,
    PassedOn,
}

/// Why nothing more is passed on in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Access has ended.
    Access(StreamEnd),
    /// Reading has failed.
    SourceLost,
    /// Writing has failed.
    SinkLost,
}

impl OneWay {
    /// * `pending`: bytes that were read before.
    pub fn new(direction: Direction, pending: Bytes) -> Self {
        Self { direction, pending, frames: FrameScanner::default(), end: SourceEnd::Open }
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the side that is read has ended, and the end has been passed on.
    pub fn is_over(&self) -> bool {
        self.end == SourceEnd::PassedOn
    }

    /// Whether we may insert a frame now.
    pub fn takes_frame(&self) -> bool {
        self.end != SourceEnd::PassedOn && self.frames.is_between_frames() && !self.frames.has_closed()
    }

    /// Whether a whole Close frame was written, and nothing after it.
    pub fn has_closed(&self) -> bool {
        self.frames.has_closed()
    }

    /// Passes on as many bytes as both sides and access allow now. Returns whether there were any. The task is woken
    /// when there may be more.
    pub fn advance(
        &mut self,
        cx: &mut Context<'_>,
        gate: Option<&StreamGate>,
        source: &mut (impl AsyncRead + Unpin),
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<bool, Stopped> {
        let mut has_moved = false;
        loop {
            if self.has_pending() {
                let mut bytes = take(&mut self.pending);
                let written = self.write(cx, gate, sink, &bytes)?;
                bytes.advance(written);
                // An empty buffer would keep its memory.
                self.pending = if bytes.is_empty() { Bytes::new() } else { bytes };
                if written == 0 {
                    return Ok(has_moved);
                }
            } else if self.end == SourceEnd::Open {
                let mut space = [const { MaybeUninit::uninit() }; TUNNEL_PIECE];
                let mut read = ReadBuf::uninit(&mut space);
                match Pin::new(&mut *source).poll_read(cx, &mut read) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Err(Stopped::SourceLost),
                    Poll::Pending => return Ok(has_moved),
                }
                let bytes = read.filled();
                if bytes.is_empty() {
                    self.end = SourceEnd::Read;
                } else {
                    let written = self.write(cx, gate, sink, bytes)?;
                    self.pending = Bytes::copy_from_slice(&bytes[written..]);
                }
            } else {
                if self.end == SourceEnd::Read && Pin::new(&mut *sink).poll_shutdown(cx).is_ready() {
                    self.end = SourceEnd::PassedOn;
                    has_moved = true;
                }
                return Ok(has_moved);
            }
            has_moved = true;
        }
    }

    /// Returns how many bytes were written.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        gate: Option<&StreamGate>,
        sink: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> Result<usize, Stopped> {
        let permit = match gate.map(|gate| gate.poll_permit(self.direction, cx)) {
            None => None,
            Some(Poll::Ready(Ok(permit))) => Some(permit),
            Some(Poll::Ready(Err(end))) => return Err(Stopped::Access(end)),
            Some(Poll::Pending) => return Ok(0),
        };
        let written = Pin::new(sink).poll_write(cx, bytes);
        drop(permit);
        match written {
            Poll::Ready(Ok(written)) => {
                self.frames.scan(&bytes[..written]);
                Ok(written)
            }
            Poll::Ready(Err(_)) => Err(Stopped::SinkLost),
            Poll::Pending => Ok(0),
        }
    }
}
