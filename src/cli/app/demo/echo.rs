//! The websocket of the demo app: sends every message back (RFC 6455).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::http::header;
use actix_web::web::{Buf as _, BufMut as _, Bytes, BytesMut, Payload};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::Stream;

use crate::web::proxy::accept_of;

/// The longest frame: a demo has no long messages.
const MAX_FRAME: usize = 64 * 1024;

const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

pub async fn open(request: HttpRequest, payload: Payload) -> HttpResponse {
    let key = request.headers().get("sec-websocket-key").map(|key| key.as_bytes());
    let is_websocket = request
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    match key {
        Some(key) if is_websocket => HttpResponse::SwitchingProtocols()
            .upgrade("websocket")
            .insert_header(("sec-websocket-accept", accept_of(key)))
            .streaming(Echo { payload, received: BytesMut::new(), is_over: false }),
        _ => HttpResponse::BadRequest().body("This address is for websockets.\n"),
    }
}

struct Echo {
    payload: Payload,
    received: BytesMut,
    is_over: bool,
}

impl Stream for Echo {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            match reply(&mut this.received) {
                Reply::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
                Reply::Last(frame) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Reply::Nothing => continue,
                Reply::Incomplete => {}
            }
            match ready!(Pin::new(&mut this.payload).poll_next(cx)) {
                Some(Ok(part)) => this.received.put(part),
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Reply {
    Frame(Bytes),
    /// The connection ends after it.
    Last(Bytes),
    /// To a pong.
    Nothing,
    /// The rest of the frame has not arrived.
    Incomplete,
}

/// The reply to the first frame in `received`, which it removes.
fn reply(received: &mut BytesMut) -> Reply {
    let &[first, second, ..] = &received[..] else { return Reply::Incomplete };
    let (extended, masked) = match second & 0x7F {
        126 => (2, second & 0x80 != 0),
        127 => (8, second & 0x80 != 0),
        _ => (0, second & 0x80 != 0),
    };
    let head = 2 + extended + 4;
    if !masked {
        return Reply::Last(close(1002));
    }
    if received.len() < head {
        return Reply::Incomplete;
    }
    let length = match extended {
        0 => usize::from(second & 0x7F),
        _ => received[2..2 + extended]
            .iter()
            .fold(0, |length: usize, byte| length.saturating_mul(256).saturating_add(usize::from(*byte))),
    };
    if length > MAX_FRAME {
        return Reply::Last(close(1009));
    }
    if received.len() < head + length {
        return Reply::Incomplete;
    }
    let mask: Vec<u8> = received[head - 4..head].to_vec();
    received.advance(head);
    let mut data = received.split_to(length);
    data.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    match first & 0x0F {
        CONTINUATION..=BINARY => Reply::Frame(frame(first & 0x8F, &data)),
        PING => Reply::Frame(frame(0x80 | PONG, &data)),
        PONG => Reply::Nothing,
        CLOSE => Reply::Last(frame(0x80 | CLOSE, &data)),
        _ => Reply::Last(close(1002)),
    }
}

fn close(code: u16) -> Bytes {
    frame(0x80 | CLOSE, &code.to_be_bytes())
}

fn frame(first: u8, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 10);
    frame.put_u8(first);
    match u8::try_from(data.len()) {
        Ok(length) if length < 126 => frame.put_u8(length),
        _ => match u16::try_from(data.len()) {
            Ok(length) => {
                frame.put_u8(126);
                frame.put_u16(length);
            }
            Err(_) => {
                frame.put_u8(127);
                frame.put_u64(data.len() as u64);
            }
        },
    }
    frame.put_slice(data);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, data: &[u8]) -> Vec<u8> {
        let mut frame = frame(first, data).to_vec();
        frame[1] |= 0x80;
        let at = frame.len() - data.len();
        frame.splice(at..at, [1, 2, 3, 4]);
        frame[at + 4..].iter_mut().zip([1, 2, 3, 4].iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        frame
    }

    #[test]
    fn messages_come_back_however_they_are_split() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let data = vec![b'x'; length];
            let sent = masked(0x81, &data);
            let mut received = BytesMut::new();
            for byte in &sent[..sent.len() - 1] {
                received.put_u8(*byte);
                if received.len() < 20 {
                    assert_eq!(reply(&mut received), Reply::Incomplete);
                }
            }
            received.put_u8(sent[sent.len() - 1]);
            assert_eq!(reply(&mut received), Reply::Frame(frame(0x81, &data)), "{length}");
            assert!(received.is_empty());
        }
    }

    #[test]
    fn pings_are_answered_and_errors_close() {
        let one = |bytes: Vec<u8>| reply(&mut BytesMut::from(&bytes[..]));
        assert_eq!(one(masked(0x89, b"hi")), Reply::Frame(frame(0x8A, b"hi")));
        assert_eq!(one(masked(0x8A, b"")), Reply::Nothing);
        assert_eq!(one(masked(0x88, &[3, 232])), Reply::Last(frame(0x88, &[3, 232])));
        assert_eq!(one(masked(0x83, b"")), Reply::Last(close(1002)));
        assert_eq!(one(frame(0x81, b"unmasked").to_vec()), Reply::Last(close(1002)));
        assert_eq!(one(masked(0x82, &[0; MAX_FRAME + 1])), Reply::Last(close(1009)));
    }
}
