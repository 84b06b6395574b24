//! The `traceparent` of a proxy in front (W3C Trace Context), so that log lines can be matched with its traces. It is
//! only logged: never sent back, and never trusted.

use std::fmt;

use actix_web::http::header::HeaderMap;
use data_encoding::HEXLOWER;

/// Later versions may be longer than today's 55 characters; this is far longer.
const LONGEST: usize = 256;

/// A trace id: exactly 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The trace id in the headers; `None` if there are two, because it is unclear which applies.
pub fn named(headers: &HeaderMap) -> Option<TraceId> {
    let mut all = headers.get_all("traceparent");
    match (all.next(), all.next()) {
        (Some(only), None) => read(only.as_bytes()),
        _ => None,
    }
}

/// Version, trace, parent and flags, separated by dashes (§3.2.2). Anything else is ignored.
fn read(value: &[u8]) -> Option<TraceId> {
    let (head, rest) = value.split_at_checked(55)?;
    let fits = match (head.get(..2)?, rest) {
        (b"ff", _) => false,
        (b"00", rest) => rest.is_empty(),
        (_, rest) => rest.first().is_none_or(|next| *next == b'-') && value.len() <= LONGEST,
    };
    let mut parts = head.split(|byte| *byte == b'-');
    let [_version]: [u8; 1] = digits(parts.next()?)?;
    let trace: [u8; 16] = digits(parts.next()?)?;
    let parent: [u8; 8] = digits(parts.next()?)?;
    let [_flags]: [u8; 1] = digits(parts.next()?)?;
    (fits && parts.next().is_none() && trace != [0; 16] && parent != [0; 8]).then_some(TraceId(trace))
}

/// Whether `text` has exactly this many digits, in lower case.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    HEXLOWER.decode_mut(text, &mut bytes).ok().map(|_| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::{any, proptest};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const WHOLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn text(value: &str) -> Option<String> {
        read(value.as_bytes()).map(|trace| trace.to_string())
    }

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        for good in [
            WHOLE,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            // A later version may append further parts.
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-will-be",
        ] {
            assert_eq!(text(good).as_deref(), Some(TRACE), "{good}");
        }
    }

    #[test]
    fn anything_else_is_as_if_it_were_not_there() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "0X-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "00-4bf92f3577b34da6a3ce929d0e0e\n736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text(bad), None, "{bad}");
        }
        assert_eq!(text(&format!("cc{}-{}", &WHOLE[2..], "x".repeat(LONGEST))), None);
    }

    #[test]
    fn of_two_headers_neither_counts() {
        let mut headers = HeaderMap::new();
        assert!(named(&headers).is_none());
        let name = HeaderName::from_static("traceparent");
        headers.append(name.clone(), HeaderValue::from_static(WHOLE));
        assert_eq!(named(&headers).map(|trace| trace.to_string()).as_deref(), Some(TRACE));
        headers.append(name, HeaderValue::from_static(WHOLE));
        assert!(named(&headers).is_none());
    }

    proptest! {
        #[test]
        fn a_traceparent_with_a_changed_byte_yields_its_32_digits_or_nothing(
            like in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
            at in 0..55usize,
            byte in any::<u8>(),
        ) {
            let mut bytes = like.into_bytes();
            bytes[at] = byte;
            if let Some(trace) = read(&bytes) {
                assert_eq!(trace.to_string().as_bytes(), &bytes[3..35]);
                assert!(bytes[3..35].iter().all(|byte| b"0123456789abcdef".contains(byte)));
            }
        }
    }
}
