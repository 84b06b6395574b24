//! The body of a POST: checks its type, its length and the time it takes to arrive. On the portal, only
//! `session::receive` reads one, which asks the guard before and after.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::web::http::error::Error;
use crate::web::http::urlencoded::Malformed;

/// No form is longer. Choreo accepts requests of up to 256 KB.
const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive; actix limits only the head of a request.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The media type that a handler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Form,
    Json,
}

impl Media {
    fn name(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
        }
    }
}

pub async fn read(headers: &HeaderMap, payload: Payload, media: Media) -> Result<Bytes, Error> {
    let typed = has_type(headers, media)?;
    let bytes = tokio::time::timeout(MAX_WAIT, collect(payload)).await.map_err(|_| Error::TooSlow)??;
    // A body must state its type; without a body there is no type, and the form is empty.
    if !typed && (media == Media::Json || !bytes.is_empty()) {
        return Err(Error::WrongMediaType);
    }
    Ok(bytes.freeze())
}

/// Whether the request states the type of its body. If it does, the type has to be this one (in any case: RFC 9110
/// §8.3.1), and the body must not be compressed: no browser compresses a form, and a decompressed body would need its
/// own limit.
fn has_type(headers: &HeaderMap, media: Media) -> Result<bool, Error> {
    let text = |name| headers.get_all(name).map(|value| value.to_str().unwrap_or("?"));
    let mut codings = text(header::CONTENT_ENCODING).flat_map(|value| value.split(','));
    if !codings.all(|coding| ["", "identity"].contains(&&*coding.trim().to_ascii_lowercase())) {
        return Err(Error::WrongMediaType);
    }
    let Some(given) = text(header::CONTENT_TYPE).next() else { return Ok(false) };
    let given = given.split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case(media.name()) { Ok(true) } else { Err(Error::WrongMediaType) }
}

async fn collect(mut payload: Payload) -> Result<BytesMut, Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Error::Malformed(Malformed::Interrupted))?;
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn judged(pairs: &[(&'static str, &'static str)], media: Media) -> Option<bool> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        has_type(&headers, media).ok()
    }

    #[test]
    fn a_media_type_is_compared_without_case_and_without_its_parameters() {
        for kind in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLEncoded",
            "APPLICATION/X-WWW-FORM-URLENCODED ; CHARSET=utf-8",
            "application/x-www-form-urlencoded;charset=\"utf-8\"",
        ] {
            assert_eq!(judged(&[("content-type", kind)], Media::Form), Some(true), "{kind}");
            assert_eq!(judged(&[("content-type", kind)], Media::Json), None, "{kind}");
        }
        assert_eq!(judged(&[("content-type", "Application/JSON; charset=utf-8")], Media::Json), Some(true));
        assert_eq!(judged(&[("content-type", "application/json5")], Media::Json), None);
        assert_eq!(judged(&[], Media::Json), Some(false));
    }

    #[test]
    fn only_the_identity_coding_is_taken() {
        for coding in ["identity", "Identity", "identity, identity", ""] {
            assert_eq!(judged(&[("content-encoding", coding)], Media::Form), Some(false), "{coding}");
        }
        for coding in ["gzip", "GZIP", "br", "zstd", "identity, gzip", "x-identity"] {
            assert_eq!(judged(&[("content-encoding", coding)], Media::Form), None, "{coding}");
        }
        let twice = [("content-encoding", "identity"), ("content-encoding", "deflate")];
        assert_eq!(judged(&twice, Media::Form), None);
    }
}
