//! The head of a request as it is sent to an upstream.

use actix_web::web::Bytes;

use super::error::ProxyError;

/// The request line and header lines, each ended by CRLF.
pub struct OutgoingHead {
    bytes: Vec<u8>,
    /// The length of the request line.
    line: usize,
}

const INVALID: ProxyError = ProxyError::BadRequest("a header is invalid");

/// Enough for the head of most requests, and little enough for the allocator's quick lists.
const CAPACITY: usize = 1000;

impl OutgoingHead {
    /// * `target`: checked, see [`super::target`].
    pub fn new(method: &str, target: &str) -> Self {
        let mut bytes = Vec::with_capacity(CAPACITY);
        for part in [method, " ", target, " HTTP/1.1\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self { line: bytes.len(), bytes }
    }

    /// Appends a header; the name in lower case.
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), ProxyError> {
        // A line break in a value would begin another header, or another request. Examining all bytes takes less time
        // than stopping at the first invalid one.
        let is_invalid = name
            .bytes()
            .fold(false, |bad, byte| bad | !(byte.is_ascii_alphanumeric() | (byte == b'-')))
            | value.iter().fold(false, |bad, byte| bad | (*byte < 0x20) & (*byte != b'\t') | (*byte == 0x7f));
        if is_invalid {
            return Err(INVALID);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes[start..].make_ascii_lowercase();
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Names and values.
    pub fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let text = String::from_utf8_lossy(&self.bytes[self.line..]).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>().into_iter()
    }

    pub fn finish(mut self) -> Bytes {
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_begins_another_line() {
        let mut head = OutgoingHead::new("GET", "/a?b");
        assert!(head.append("X-A", b"b\tc \xff").is_ok());
        for (name, value) in
            [("x-b", &b"1\r\nx-c: 2"[..]), ("x-b", b"1\n"), ("x-b", b"\0"), ("x b", b""), ("x:b", b"")]
        {
            assert!(head.append(name, value).is_err(), "{name}: {value:?}");
        }
        assert_eq!(head.finish(), &b"GET /a?b HTTP/1.1\r\nx-a: b\tc \xff\r\n\r\n"[..]);
    }
}
