//! The response of an upstream as a response to the client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{ConnectionType, RequestHead, Response};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::web::Bytes;

use super::download::{Download, ResponseSource};
use super::error::ProxyError;
use super::incoming::Incoming;
use super::limits::LARGE_RESPONSE;
use super::response_head::ResponseHead;
use super::response_headers::{self, ResponseFacts};
use super::shared::Counted;
use crate::apps::{AppOrigin, Upstream};
use crate::web::http::server::ClientConnection;

/// The request that a response answers, and its connections.
pub struct ResponseContext<'a> {
    pub head: &'a RequestHead,
    pub source: ResponseSource,
    /// The response is not for everyone, so shared caches must not store it.
    pub is_private: bool,
    pub app_origin: &'a AppOrigin,
    pub upstream: &'a Upstream,
    pub idle: Duration,
    pub client: Option<ClientConnection>,
    pub in_flight: Counted,
}

pub fn to_client(
    response: ResponseHead,
    mut incoming: Incoming,
    mut context: ResponseContext<'_>,
) -> Result<Response<BoxBody>, ProxyError> {
    let status = response.status;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ProxyError::BadResponse("it switches protocols without being asked".into()));
    }
    let facts = ResponseFacts {
        is_private: context.is_private,
        app_origin: context.app_origin,
        upstream: context.upstream,
    };
    let mut out = Response::new(status);
    response_headers::write(response.headers, &facts, out.headers_mut());
    let exact = incoming.exact_length();
    if let Some(whole) = incoming.whole() {
        context.source.complete(&incoming);
        return Ok(match status {
            _ if context.head.method == Method::HEAD => {
                out.head_mut().no_chunking(true);
                out.set_body(BoxBody::new(LengthOfGet))
            }
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
                out.set_body(BoxBody::new(actix_web::body::None::new()))
            }
            _ => out.set_body(BoxBody::new(whole)),
        });
    }
    if exact.is_none_or(|length| length > LARGE_RESPONSE)
        && let Some(client) = &context.client
    {
        client.expect_large_response();
    }
    // actix would send chunks to clients that cannot read them.
    let until_end = exact.is_none() && context.head.version < Version::HTTP_11;
    if until_end {
        out.head_mut().no_chunking(true);
        out.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(out.set_body(BoxBody::new(Download {
        incoming,
        size: exact.map_or(BodySize::Stream, BodySize::Sized),
        source: context.source,
        idle: context.idle,
        waiting: None,
        failed: None,
        ends_with_connection: context.client.filter(|_| until_end),
        _in_flight: context.in_flight,
    })))
}

/// The body of a response to HEAD: it is empty, and `Content-Length` stays that of a response to GET.
struct LengthOfGet;

impl MessageBody for LengthOfGet {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
