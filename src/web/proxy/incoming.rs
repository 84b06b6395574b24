//! The body of a response as it arrives from the upstream.

use std::io;
use std::task::{Context, Poll, ready};

use actix_web::web::{Bytes, BytesMut};

use super::connection::Connection;
use super::limits::LARGE_RESPONSE;
use super::response_head::BodyFraming;
use crate::web::http::server::ChunkScanner;

pub struct Incoming {
    end: BodyEnd,
    /// Bytes that were received and not passed on yet.
    received: Bytes,
    /// For a large body.
    buffer: BytesMut,
}

/// How the end is recognized, and how far it is.
enum BodyEnd {
    Left(u64),
    Chunks(ChunkScanner),
    OfConnection,
}

/// What the received bytes contain.
enum NextBytes {
    Part(Bytes),
    End,
    /// More has to be received.
    Nothing,
}

impl Incoming {
    /// * `received`: what arrived with the head.
    pub fn new(framing: BodyFraming, received: Bytes) -> Self {
        let end = match framing {
            BodyFraming::None => BodyEnd::Left(0),
            BodyFraming::Sized(length) => BodyEnd::Left(length),
            BodyFraming::Chunked => BodyEnd::Chunks(ChunkScanner::default()),
            BodyFraming::UntilEnd => BodyEnd::OfConnection,
        };
        Self { end, received, buffer: BytesMut::new() }
    }

    /// The length, if it is known; at the beginning.
    pub fn exact_length(&self) -> Option<u64> {
        match self.end {
            BodyEnd::Left(left) => Some(left),
            BodyEnd::Chunks(_) | BodyEnd::OfConnection => None,
        }
    }

    /// The whole body, if it has arrived.
    pub fn whole(&mut self) -> Option<Bytes> {
        let BodyEnd::Left(left) = &mut self.end else { return None };
        let length = usize::try_from(*left).ok().filter(|length| *length <= self.received.len())?;
        *left = 0;
        Some(self.received.split_to(length))
    }

    /// Whether bytes follow the body. They belong to no request.
    pub fn is_followed(&self) -> bool {
        !self.received.is_empty()
    }

    /// The next part; `None` at the end of the body. A body that ends too early is an error.
    pub fn poll_part(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match self.next() {
                Ok(NextBytes::Part(part)) => return Poll::Ready(Some(Ok(part))),
                Ok(NextBytes::End) => return Poll::Ready(None),
                Ok(NextBytes::Nothing) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let is_large = matches!(self.end, BodyEnd::Left(left) if left > LARGE_RESPONSE);
            let received = if is_large {
                connection.poll_read_into(cx, &mut self.buffer)
            } else {
                connection.poll_read(cx, Bytes::copy_from_slice)
            };
            match ready!(received) {
                Ok(received) if !received.is_empty() => self.received = received,
                Ok(_) if matches!(self.end, BodyEnd::OfConnection) => return Poll::Ready(None),
                Ok(_) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn next(&mut self) -> io::Result<NextBytes> {
        Ok(match &mut self.end {
            BodyEnd::Left(0) => NextBytes::End,
            BodyEnd::Chunks(chunks) => {
                let (skipped, count) = chunks.data(&self.received);
                drop(self.received.split_to(skipped));
                match count {
                    0 if chunks.gave_up() => return Err(io::ErrorKind::InvalidData.into()),
                    0 if chunks.has_ended() => NextBytes::End,
                    0 => NextBytes::Nothing,
                    count => NextBytes::Part(self.received.split_to(count)),
                }
            }
            _ if self.received.is_empty() => NextBytes::Nothing,
            BodyEnd::Left(left) => {
                let length = self.received.len();
                let count = usize::try_from(*left).map_or(length, |left| left.min(length));
                *left -= count as u64;
                NextBytes::Part(self.received.split_to(count))
            }
            BodyEnd::OfConnection => NextBytes::Part(self.received.split_to(self.received.len())),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts of a body that arrives in these pieces, and whether its end was found.
    fn parts(framing: BodyFraming, pieces: &[&[u8]]) -> io::Result<(Vec<u8>, bool)> {
        let mut incoming = Incoming::new(framing, Bytes::new());
        let mut body = Vec::new();
        for piece in pieces {
            incoming.received = Bytes::copy_from_slice(piece);
            loop {
                match incoming.next()? {
                    NextBytes::Part(part) => body.extend_from_slice(&part),
                    NextBytes::End => return Ok((body, true)),
                    NextBytes::Nothing => break,
                }
            }
        }
        Ok((body, false))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let ended = |framing, bytes: &[u8]| parts(framing, &[bytes]).ok();
        assert_eq!(ended(BodyFraming::Sized(3), b"abcd"), Some((b"abc".to_vec(), true)));
        assert_eq!(ended(BodyFraming::Sized(3), b"ab"), Some((b"ab".to_vec(), false)));
        assert_eq!(ended(BodyFraming::UntilEnd, b"ab"), Some((b"ab".to_vec(), false)));
        assert_eq!(ended(BodyFraming::None, b"ab"), Some((Vec::new(), true)));
        let chunked = |bytes: &[u8]| ended(BodyFraming::Chunked, bytes);
        assert_eq!(
            chunked(b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nx-sum: 1\r\n\r\nHTTP"),
            Some((b"abc".to_vec(), true))
        );
        assert_eq!(chunked(b"5\r\nab"), Some((b"ab".to_vec(), false)));
        assert_eq!(chunked(b"2\r\nab\r\n0\r\n"), Some((b"ab".to_vec(), false)));
        for malformed in ["zz\r\n", "2\r\nabc\r\n", "-1\r\n", "\r\n"] {
            assert_eq!(chunked(malformed.as_bytes()), None, "{malformed:?}");
        }
    }

    #[test]
    fn bytes_behind_a_body_are_noticed() {
        let mut incoming = Incoming::new(BodyFraming::Sized(2), Bytes::from_static(b"okHTTP"));
        assert_eq!(incoming.whole().as_deref(), Some(&b"ok"[..]));
        assert!(incoming.is_followed());
        let mut incoming = Incoming::new(BodyFraming::Sized(3), Bytes::from_static(b"ok"));
        assert_eq!(incoming.whole(), None);
    }

    proptest! {
        #[test]
        fn chunks_are_decoded_however_they_are_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            piece in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend(format!("{:X}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            prop_assert_eq!(parts(BodyFraming::Chunked, &pieces).expect("valid chunks"), (chunks.concat(), true));
        }
    }
}
