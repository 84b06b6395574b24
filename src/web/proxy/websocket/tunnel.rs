//! An open websocket. While it is idle, it keeps no buffers.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::time::{Sleep, sleep, timeout};
use actix_web::web::Bytes;
use futures_util::future::poll_fn;
use latchkey_sessions::{Direction, StreamEnd, WriteGate as _};
use tokio::io::AsyncWrite;

use super::close::CloseReason;
use super::one_way::{OneWay, Stopped};
use crate::apps::App;
use crate::web::http::server::{RawStream, poll_finish};
use crate::web::proxy::limits::{CLIENT_ENDS_WITHIN, CLOSE_WITHIN, TUNNEL_SEND_BUFFER, keep_alive};
use crate::web::proxy::shared::{Counted, UpstreamSlot};
use crate::web::proxy::socket::UpstreamStream;
use crate::web::streams::StreamGate;

pub struct Tunnel {
    client: RawStream,
    upstream: UpstreamStream,
    gate: Option<Rc<StreamGate>>,
    down: OneWay,
    up: OneWay,
    /// The code of the Close frame when access ends.
    close_code: u16,
    /// How long one side may read nothing while the other side has data for it.
    stalled: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    _counted: (Counted, UpstreamSlot),
}

/// What the tunnel needs besides the client's connection.
pub struct TunnelParts {
    pub upstream: UpstreamStream,
    /// Bytes that the upstream sent with its response.
    pub received: Bytes,
    pub gate: Option<Rc<StreamGate>>,
    pub counted: (Counted, UpstreamSlot),
}

/// How the tunnel ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TunnelEnd {
    /// Both sides have ended, or the client is gone.
    Over,
    /// The client must not take this for a clean end.
    Broken,
    Access(StreamEnd),
}

impl Tunnel {
    pub fn new(client: RawStream, app: &App, parts: TunnelParts) -> Self {
        let TunnelParts { upstream, received, gate, counted } = parts;
        client.expect_long_connection(&keep_alive(), TUNNEL_SEND_BUFFER);
        Self {
            client,
            upstream,
            gate,
            down: OneWay::new(Direction::Down, received),
            up: OneWay::new(Direction::Up, Bytes::new()),
            close_code: app.close_code,
            stalled: app.limits.idle,
            deadline: None,
            _counted: counted,
        }
    }

    /// Passes bytes on until one side leaves or access ends.
    pub async fn run(mut self) {
        match poll_fn(|cx| self.poll_run(cx)).await {
            TunnelEnd::Over => {}
            TunnelEnd::Broken => self.client.reset_at_end(),
            TunnelEnd::Access(end) => self.close(end).await,
        }
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<TunnelEnd> {
        // An idle tunnel asks the gate too, so that it is woken when access ends.
        let gate = self.gate.as_deref();
        match gate.map(|gate| gate.poll_permit(Direction::Down, cx)) {
            None => {}
            Some(Poll::Ready(Ok(permit))) => drop(permit),
            Some(Poll::Ready(Err(end))) => return Poll::Ready(TunnelEnd::Access(end)),
            // Until the stream has been decided again, nothing is read either.
            Some(Poll::Pending) => return Poll::Pending,
        }
        let down = match self.down.advance(cx, gate, &mut self.upstream, &mut self.client) {
            Ok(has_moved) => has_moved,
            Err(Stopped::Access(end)) => return Poll::Ready(TunnelEnd::Access(end)),
            Err(Stopped::SourceLost) => return Poll::Ready(TunnelEnd::Broken),
            Err(Stopped::SinkLost) => return Poll::Ready(TunnelEnd::Over),
        };
        let up = match self.up.advance(cx, gate, &mut self.client, &mut self.upstream) {
            Ok(has_moved) => has_moved,
            Err(Stopped::Access(end)) => return Poll::Ready(TunnelEnd::Access(end)),
            Err(Stopped::SourceLost) => return Poll::Ready(TunnelEnd::Over),
            // If the upstream has ended, the client has received everything.
            Err(Stopped::SinkLost) if self.down.is_over() => return Poll::Ready(TunnelEnd::Over),
            Err(Stopped::SinkLost) => return Poll::Ready(TunnelEnd::Broken),
        };
        if self.down.is_over() && self.up.is_over() {
            return Poll::Ready(TunnelEnd::Over);
        }
        if down || up {
            self.deadline = None;
        }
        self.poll_deadline(cx)
    }

    /// A tunnel has a time limit only while it waits for a side to read or to end.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<TunnelEnd> {
        let limit = if self.down.is_over() {
            CLIENT_ENDS_WITHIN
        } else if self.down.has_pending() || self.up.has_pending() || self.up.is_over() {
            self.stalled
        } else {
            return Poll::Pending;
        };
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        deadline
            .as_mut()
            .poll(cx)
            .map(|()| if self.down.is_over() { TunnelEnd::Over } else { TunnelEnd::Broken })
    }

    /// Sends Close frames to both sides, and waits for them to end.
    async fn close(&mut self, end: StreamEnd) {
        let reason = CloseReason::new(end, self.close_code);
        if self.up.takes_frame()
            && let Some(frame) = reason.for_upstream()
        {
            write_at_once(&mut self.upstream, &frame).await;
        }
        let is_told = self.down.has_closed()
            || self.down.takes_frame() && write_at_once(&mut self.client, &reason.for_client()).await;
        if !is_told && !self.down.is_over() {
            return self.client.reset_at_end();
        }
        let (mut has_client_ended, mut has_upstream_ended) = (false, false);
        let ending = poll_fn(|cx| {
            has_client_ended = has_client_ended || poll_finish(&mut self.client, cx).is_ready();
            has_upstream_ended = has_upstream_ended || poll_finish(&mut self.upstream, cx).is_ready();
            if has_client_ended && has_upstream_ended { Poll::Ready(()) } else { Poll::Pending }
        });
        // When the time is over, the connections are ended without waiting any longer.
        let _ = timeout(CLOSE_WITHIN, ending).await;
        if !has_client_ended {
            self.client.reset_at_end();
        }
    }
}

/// Whether the whole frame fitted into the kernel's buffer. If it did not, that side is not reading.
async fn write_at_once(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> bool {
    let written = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, frame))).await;
    matches!(written, Poll::Ready(Ok(count)) if count == frame.len())
}
