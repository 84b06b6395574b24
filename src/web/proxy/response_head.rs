//! The head of a response, and how the end of its body is recognized (RFC 9112 §6.3). httparse reads the lines.

use std::mem::MaybeUninit;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use httparse::{ParserConfig, Response, Status};

use super::error::ProxyError;
use super::limits::{IDLE, IDLE_MARGIN, LONGEST_IDLE, RESPONSE_HEADERS};

/// The headers of a response, in the order in which they arrived.
#[derive(Debug, Default)]
pub struct ReceivedHeaders(pub Vec<(HeaderName, HeaderValue)>);

#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: ReceivedHeaders,
    /// HTTP/1.1; otherwise HTTP/1.0.
    is_current: bool,
}

/// How the end of the body is recognized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BodyFraming {
    /// There is no body, even if the headers announce one.
    None,
    Sized(u64),
    Chunked,
    /// The end of the connection is the end of the body.
    UntilEnd,
}

impl ReceivedHeaders {
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }

    /// The parts of lists that are separated by commas.
    pub fn words(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.all(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }
}

impl ResponseHead {
    /// The head at the beginning of `bytes`, and its length, once it is complete. Interim responses before it are
    /// skipped, except 101 (Switching Protocols).
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProxyError> {
        let mut start = 0;
        loop {
            let mut space = [const { MaybeUninit::uninit() }; RESPONSE_HEADERS];
            let mut response = Response::new(&mut []);
            let parsed = ParserConfig::default().parse_response_with_uninit_headers(
                &mut response,
                &bytes[start..],
                &mut space,
            );
            let length = match parsed.map_err(|error| ProxyError::BadResponse(error.to_string()))? {
                Status::Complete(length) => length,
                Status::Partial => return Ok(None),
            };
            start += length;
            let code = response.code.unwrap_or_default();
            if (100..200).contains(&code) && code != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
                continue;
            }
            return Self::of(code, response.version == Some(1), response.headers)
                .map(|head| Some((head, start)));
        }
    }

    fn of(code: u16, is_current: bool, lines: &[httparse::Header<'_>]) -> Result<Self, ProxyError> {
        let status = StatusCode::from_u16(code);
        let status = status.map_err(|_| ProxyError::BadResponse("the status is invalid".into()))?;
        let mut headers = Vec::with_capacity(lines.len());
        for line in lines {
            let invalid = || ProxyError::BadResponse(format!("the header {} is invalid", line.name));
            let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| invalid())?;
            headers.push((name, HeaderValue::from_bytes(line.value).map_err(|_| invalid())?));
        }
        Ok(Self { status, headers: ReceivedHeaders(headers), is_current })
    }

    /// A response that states its length twice may be an attack: two programs could read different lengths.
    ///
    /// * `answers_head`: the request was HEAD.
    pub fn framing(&self, answers_head: bool) -> Result<BodyFraming, ProxyError> {
        let bad = |why: &str| Err(ProxyError::BadResponse(why.into()));
        let mut lengths = self.headers.all(CONTENT_LENGTH);
        let mut codings = self.headers.all(TRANSFER_ENCODING);
        let (length, coding) = (lengths.next(), codings.next());
        if lengths.next().is_some() || codings.next().is_some() || length.is_some() && coding.is_some() {
            return bad("its length is ambiguous");
        }
        let framing = match (coding, length) {
            (Some(coding), _) if self.is_current && coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                BodyFraming::Chunked
            }
            (Some(_), _) => return bad("its transfer coding is unknown"),
            (None, Some(length)) => match decimal(length.trim_ascii()) {
                Some(length) => BodyFraming::Sized(length),
                None => return bad("its length is invalid"),
            },
            (None, None) => BodyFraming::UntilEnd,
        };
        let is_bodiless = answers_head
            || matches!(
                self.status,
                StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        Ok(if is_bodiless { BodyFraming::None } else { framing })
    }

    /// How long the connection may be kept for another request; `None` if the upstream will close it.
    pub fn kept_for(&self, framing: BodyFraming) -> Option<Duration> {
        let closes = self.headers.words(CONNECTION).any(|word| word.eq_ignore_ascii_case(b"close"));
        let is_followed = framing == BodyFraming::None && self.announces_body();
        if !self.is_current || closes || framing == BodyFraming::UntilEnd || is_followed {
            return None;
        }
        let timeout = self.headers.words(HeaderName::from_static("keep-alive")).find_map(|word| {
            let (name, value) = str::from_utf8(word).ok()?.split_once('=')?;
            name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok())?
        });
        let Some(timeout) = timeout else { return Some(IDLE) };
        let kept = Duration::from_secs(timeout).saturating_sub(IDLE_MARGIN).min(LONGEST_IDLE);
        (!kept.is_zero()).then_some(kept)
    }

    /// Whether an upstream that ignores that this response has no body may still send one. On a kept connection it would
    /// be taken for the next response (RFC 9112 §9.2).
    fn announces_body(&self) -> bool {
        let is_coded = self.headers.all(TRANSFER_ENCODING).next().is_some();
        let length = self.headers.all(CONTENT_LENGTH).next().map(<[u8]>::trim_ascii);
        match self.status {
            // Its length is that of the response that is still valid.
            StatusCode::NOT_MODIFIED => is_coded,
            StatusCode::NO_CONTENT => is_coded || length.is_some_and(|length| length != b"0"),
            // To HEAD.
            _ => length != Some(b"0"),
        }
    }
}

/// Digits and nothing else: `parse` would accept a sign.
fn decimal(text: &[u8]) -> Option<u64> {
    let is_digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| is_digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> ResponseHead {
        ResponseHead::parse(text.as_bytes()).expect("a valid head").expect("a complete head").0
    }

    #[test]
    fn the_end_of_a_body_is_recognized_in_one_way() {
        for (head, framing) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n", Some(BodyFraming::Sized(12))),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Some(BodyFraming::Chunked)),
            ("HTTP/1.1 200 OK\r\n\r\n", Some(BodyFraming::UntilEnd)),
            ("HTTP/1.1 204 No Content\r\n\r\n", Some(BodyFraming::None)),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 12\r\n\r\n", Some(BodyFraming::None)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
        ] {
            assert_eq!(parsed(head).framing(false).ok(), framing, "{head:?}");
        }
        assert_eq!(
            parsed("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").framing(true).ok(),
            Some(BodyFraming::None)
        );
    }

    #[test]
    fn interim_responses_are_skipped_but_not_a_switch() {
        let text = "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\na: b\r\n\r\nrest";
        let (head, length) = ResponseHead::parse(text.as_bytes()).expect("valid").expect("complete");
        assert_eq!((head.status, head.headers.0.len(), &text[length..]), (StatusCode::NOT_FOUND, 1, "rest"));
        assert!(ResponseHead::parse(b"HTTP/1.1 103 Early Hints\r\n\r\n").expect("valid").is_none());
        assert_eq!(
            parsed("HTTP/1.1 101 Switching Protocols\r\n\r\n").status,
            StatusCode::SWITCHING_PROTOCOLS
        );
        for bad in [
            "HTTP/1.1 two\r\n\r\n",
            "SSH-2.0-x\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 042 x\r\n\r\n",
        ] {
            assert!(ResponseHead::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_connection_is_kept_as_long_as_the_upstream_says() {
        let kept = |head: &str| {
            let head = parsed(head);
            head.kept_for(head.framing(false).expect("a framing")).map(|kept| kept.as_secs())
        };
        for (head, seconds) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some(IDLE.as_secs())),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: max=5, Timeout = 9\r\n\r\n", Some(8)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=1\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", None),
        ] {
            assert_eq!(kept(head), seconds, "{head:?}");
        }
    }

    #[test]
    fn a_connection_is_not_kept_if_a_body_may_follow_a_response_without_one() {
        let kept = |head: &str| {
            let head = parsed(head);
            head.kept_for(head.framing(true).expect("a framing")).is_some()
        };
        for (head, is_kept) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", false),
            ("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 60\r\n\r\n", true),
        ] {
            assert_eq!(kept(head), is_kept, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn a_part_of_a_head_is_no_head(cut in 0_usize..45) {
            let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\na: b\r\n\r\n";
            prop_assert!(ResponseHead::parse(&text[..cut.min(text.len() - 1)]).expect("valid").is_none());
        }
    }
}
