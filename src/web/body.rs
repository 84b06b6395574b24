//! What somebody posts, read only after the guard has spoken: of the right type, not too long, and not too slowly.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{BytesMut, Payload};
use futures_util::StreamExt as _;

use super::error::Error;
use super::urlencoded;

/// No form of ours is longer; Choreo lets 256 KB of a request through at all.
const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive: actix bounds the head of a request, not its body.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The body, and whether it said what it is. If it did, it is of this type.
pub async fn read(request: &HttpRequest, body: Payload, wanted: &str) -> Result<(BytesMut, bool), Error> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let fits = |kind: &str| kind.split(';').next().map(str::trim) == Some(wanted);
    if kind.is_some_and(|kind| !fits(kind)) {
        return Err(Error::NotAForm);
    }
    let bytes = tokio::time::timeout(MAX_WAIT, collect(body)).await.map_err(|_| Error::TooSlow)??;
    Ok((bytes, kind.is_some()))
}

async fn collect(mut body: Payload) -> Result<BytesMut, Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Error::Malformed(urlencoded::Malformed::Encoding))?;
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
