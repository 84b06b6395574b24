//! Records when a request begins and when its response has been sent.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::{HttpMessage as _, Payload, Request};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::task::yield_now;

use super::traffic::{Answering, DISCARD, Phase, RemainingBody, Traffic};

/// Turns of the event loop: enough to read a full window in pieces.
const ARRIVE_IN_TURNS: usize = 8;

/// While this exists, a request is being answered. The future of the service owns it, then the body of the response.
pub struct ResponseGuard(Rc<Traffic>);

impl ResponseGuard {
    /// `None` for a request that did not come through a [`super::stream::BoundedStream`].
    pub fn begin(request: &mut Request) -> Option<Self> {
        let traffic = Rc::clone(request.conn_data::<Rc<Traffic>>()?);
        traffic.requests.set(traffic.requests.get() + 1);
        traffic.answering.set(Answering::Portal);
        traffic.large_response.set(false);
        traffic.chunked.set(request.headers().contains_key(header::TRANSFER_ENCODING));
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        traffic.phase.set(match request.take_payload() {
            Payload::None => Phase::Answering,
            payload => {
                let counted = CountedBody { payload, traffic: Rc::clone(&traffic) };
                *request.payload() = Payload::Stream { payload: Box::pin(counted) };
                Phase::Body {
                    body: length.map_or(RemainingBody::Unsized(DISCARD), RemainingBody::Sized),
                    waiting: 0,
                }
            }
        });
        Some(Self(traffic))
    }
}

impl ResponseGuard {
    /// Gives an unread body that has already arrived a few turns to be parsed: with a body outstanding, actix closes
    /// the connection after the response. Does not wait for bytes that the client has yet to send.
    pub async fn wait_for_buffered_body(&self) {
        for _ in 0..ARRIVE_IN_TURNS {
            let Phase::Body { body: RemainingBody::Sized(1..), .. } = self.0.phase.get() else { return };
            yield_now().await;
        }
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.phase.set(match self.0.phase.get() {
            Phase::Body { body: RemainingBody::Sized(0), .. } => Phase::Head,
            Phase::Body { body, .. } => Phase::Discarding(body),
            phase @ Phase::Discarding(_) => phase,
            Phase::Head | Phase::Answering => Phase::Head,
        });
        match self.0.phase.get() {
            // The rest of the body has a deadline, which the connection's task sets when it reads. Only this wakes the
            // task: otherwise actix keeps the connection for as long as such a body takes.
            Phase::Discarding(_) => self.0.task.borrow().wake_by_ref(),
            _ => self.0.resume(),
        }
    }
}

/// A body that reports how much of it was read.
struct CountedBody {
    payload: Payload,
    traffic: Rc<Traffic>,
}

impl Stream for CountedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = Pin::new(&mut self.payload).poll_next(cx);
        match &chunk {
            Poll::Ready(Some(Ok(chunk))) => self.traffic.consumed(chunk.len() as u64),
            Poll::Ready(Some(Err(_)) | None) => self.traffic.body_ended(),
            Poll::Pending => {}
        }
        chunk
    }
}
