//! The names of the headers that tell an app who its user is.

use std::fmt;

use smol_str::SmolStr;

/// The longest name. Servers limit the bytes of all headers.
const LONGEST: usize = 64;

/// A header that Latchkey alone sets. Many servers treat `_`, `.` and `-` as the same character, so only `-` is
/// allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaderName(SmolStr);

/// Why a text cannot be the name of an identity header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHeaderName {
    /// Not letters, digits and hyphens, or too long.
    Malformed,
    /// Clients or proxies send a header with this name.
    Standard,
}

/// The names of the four identity headers of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    pub user: IdentityHeaderName,
    pub email: IdentityHeaderName,
    pub name: IdentityHeaderName,
    pub groups: IdentityHeaderName,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        let name = |text: &'static str| IdentityHeaderName(SmolStr::new_static(text));
        Self {
            user: name("Remote-User"),
            email: name("Remote-Email"),
            name: name("Remote-Name"),
            groups: name("Remote-Groups"),
        }
    }
}

impl IdentityHeaders {
    pub fn all(&self) -> [&IdentityHeaderName; 4] {
        [&self.user, &self.email, &self.name, &self.groups]
    }

    /// Whether two of them have the same name.
    pub fn has_duplicate(&self) -> bool {
        let all = self.all();
        all.iter().enumerate().any(|(at, name)| {
            all[..at].iter().any(|earlier| earlier.as_str().eq_ignore_ascii_case(name.as_str()))
        })
    }
}

/// Standard request headers and those that proxies and browsers set, in lower case.
const STANDARD: &[&str] = &[
    "accept",
    "authorization",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "cookie2",
    "date",
    "device-memory",
    "dnt",
    "downlink",
    "early-data",
    "ect",
    "expect",
    "forwarded",
    "from",
    "front-end-https",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "max-forwards",
    "origin",
    "ping-from",
    "ping-to",
    "pragma",
    "priority",
    "purpose",
    "range",
    "referer",
    "rtt",
    "save-data",
    "service-worker",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "viewport-width",
    "want-digest",
    "x-csrf-token",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
    "x-rewrite-url",
];

/// The first characters of further such names.
const STANDARD_FAMILIES: &[&str] =
    &["accept-", "access-control-", "if-", "proxy-", "sec-", "x-accel-", "x-forwarded-", "x-http-method-"];

impl IdentityHeaderName {
    pub fn parse(text: &str) -> Result<Self, InvalidHeaderName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_name = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(is_allowed)
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !text.ends_with('-');
        if !is_name {
            return Err(InvalidHeaderName::Malformed);
        }
        let lower = text.to_ascii_lowercase();
        let is_standard = STANDARD.contains(&lower.as_str())
            || STANDARD_FAMILIES.iter().any(|family| lower.starts_with(family));
        if is_standard { Err(InvalidHeaderName::Standard) } else { Ok(Self(text.into())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentityHeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_header_has_one_spelling_and_no_other_meaning() {
        for good in ["Remote-User", "X-WEBAUTH-USER", "x-auth-request-email", "User"] {
            assert_eq!(IdentityHeaderName::parse(good).map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "Remote_User", "Remote.User", "Remote User", "-User", "User-", "9-User", "Ü", "A:"] {
            assert_eq!(IdentityHeaderName::parse(bad), Err(InvalidHeaderName::Malformed), "{bad}");
        }
        for bad in
            ["Cookie", "HOST", "Authorization", "X-Forwarded-User", "Sec-User", "If-User", "Connection"]
        {
            assert_eq!(IdentityHeaderName::parse(bad), Err(InvalidHeaderName::Standard), "{bad}");
        }
    }

    #[test]
    fn the_four_names_of_an_app_differ() {
        let mut names = IdentityHeaders::default();
        assert!(!names.has_duplicate());
        names.email = IdentityHeaderName::parse("remote-USER").unwrap();
        assert!(names.has_duplicate());
    }

    #[test]
    fn the_standard_names_are_sorted_and_in_lower_case() {
        assert!(STANDARD.is_sorted());
        assert!(STANDARD.iter().chain(STANDARD_FAMILIES).all(|name| *name == name.to_ascii_lowercase()));
    }
}
