//! The body of a response, sent in pieces, so that a slow reader keeps only the response itself in memory and not a
//! second copy. Also records when it was sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use super::response_guard::ResponseGuard;

/// actix copies the bytes that it sends, and requests the next piece when this one is nearly sent.
pub const PIECE: usize = 8 * 1024;

pub struct ResponseBody {
    body: BodyBytes,
    _until_sent: Option<ResponseGuard>,
}

enum BodyBytes {
    /// Bytes on the heap. A static file is part of the binary.
    Whole(Bytes),
    Other(BoxBody),
}

impl ResponseBody {
    pub fn new(body: impl MessageBody + 'static, response_guard: Option<ResponseGuard>) -> Self {
        let body = match body.size() {
            // Responses that must not announce a length (204, 304).
            BodySize::None => BodyBytes::Other(BoxBody::new(body)),
            BodySize::Sized(_) | BodySize::Stream => match body.boxed().try_into_bytes() {
                Ok(bytes) => BodyBytes::Whole(bytes),
                Err(body) => BodyBytes::Other(body),
            },
        };
        Self { body, _until_sent: response_guard }
    }
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        match &self.body {
            BodyBytes::Whole(bytes) => BodySize::Sized(bytes.len() as u64),
            BodyBytes::Other(body) => body.size(),
        }
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.body {
            BodyBytes::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            BodyBytes::Whole(bytes) => Poll::Ready(Some(Ok(bytes.split_to(bytes.len().min(PIECE))))),
            BodyBytes::Other(body) => Pin::new(body).poll_next(cx),
        }
    }
}
