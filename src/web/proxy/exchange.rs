//! Sends a request on a connection and reads the head of its response.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use actix_web::web::Bytes;
use memchr::memchr;

use super::connection::Connection;
use super::error::ProxyError;
use super::limits::RESPONSE_HEAD;
use super::response_head::ResponseHead;
use super::sending::Sending;

/// Returns the head of the response, and the bytes that were received with it. The rest of the request may still have
/// to be sent then.
pub async fn exchange(
    connection: &mut Connection,
    sending: &mut Sending,
) -> Result<(ResponseHead, Bytes), ProxyError> {
    let mut begun = Vec::new();
    poll_fn(|cx| {
        if !sending.is_complete()
            && let Poll::Ready(Err(error)) = connection.poll_send(sending, cx)
        {
            return Poll::Ready(Err(ProxyError::BadResponse(error.to_string())));
        }
        // What arrives before the request is the response to no request (RFC 9112 §9.2), or the end of the connection.
        if !sending.has_begun() {
            return connection
                .poll_read(cx, |_| ())
                .map(|_| Err(ProxyError::BadResponse("it arrived before the request was sent".into())));
        }
        poll_head(connection, &mut begun, cx)
    })
    .await
}

/// * `begun`: what was received of the head before.
fn poll_head(
    connection: &mut Connection,
    begun: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<Result<(ResponseHead, Bytes), ProxyError>> {
    loop {
        let bad = |why: String| ProxyError::BadResponse(why);
        let head = ready!(connection.poll_read(cx, |received| {
            if received.is_empty() {
                return Err(bad("the connection has ended".into()));
            }
            // Only the end of a line can complete a head.
            let is_line = memchr(b'\n', received).is_some();
            let all = if begun.is_empty() {
                received
            } else {
                begun.extend_from_slice(received);
                &begun[..]
            };
            let parsed = if is_line { ResponseHead::parse(all)? } else { None };
            let length = parsed.as_ref().map_or(all.len(), |(_, length)| *length);
            if length > RESPONSE_HEAD {
                return Err(bad("its head is too long".into()));
            }
            if let Some((head, length)) = parsed {
                return Ok(Some((head, Bytes::copy_from_slice(&all[length..]))));
            }
            if begun.is_empty() {
                begun.extend_from_slice(received);
            }
            Ok(None)
        }));
        match head.map_err(|error| bad(error.to_string())).flatten() {
            Ok(None) => {}
            Ok(Some(head)) => return Poll::Ready(Ok(head)),
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}
