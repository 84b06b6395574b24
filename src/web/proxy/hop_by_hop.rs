//! Headers that are only for the next hop (RFC 9110 §7.6.1).

/// Never passed on, in either direction.
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "expect"
    )
}

/// The headers that `Connection` names.
#[derive(Debug, Default)]
pub struct NamedByConnection(Vec<String>);

impl NamedByConnection {
    /// `values` are the values of all `Connection` headers. A name in `protected` stays: its removal would change what
    /// the message means.
    pub fn new<'v>(values: impl Iterator<Item = &'v [u8]>, protected: &[&str]) -> Self {
        let names = values.flat_map(|value| value.split(|byte| *byte == b',')).filter_map(|name| {
            let name = str::from_utf8(name.trim_ascii()).ok()?.to_ascii_lowercase();
            let is_option = matches!(name.as_str(), "" | "close" | "keep-alive" | "upgrade");
            (!is_option && !protected.contains(&name.as_str())).then_some(name)
        });
        Self(names.collect())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|named| named == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_names_headers_but_not_those_that_frame_a_message() {
        let values = ["close, X-Secret".as_bytes(), b"HOST,cookie , x-other", b"\xff"];
        let named = NamedByConnection::new(values.into_iter(), &["host", "cookie"]);
        assert!(named.contains("x-secret") && named.contains("x-other"));
        assert!(!named.contains("host") && !named.contains("cookie") && !named.contains("close"));
    }
}
