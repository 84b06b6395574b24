//! The public origin, for absolute links, the `Secure` attribute of cookies and the Origin check. It is never taken from a
//! request.

use url::{Host, Url};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
    secure: bool,
    loopback: bool,
}

impl Origin {
    /// Parses `https://host[:port]`, or `http` for localhost.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL ({error})"))?;
        let secure = url.scheme() == "https";
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let for_trying_out = url.scheme() == "http" && local;
        if !secure && !for_trying_out {
            return Err(format!("{text:?} must begin with https:// (http:// only for localhost)"));
        }
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
        {
            return Err(format!("{text:?} must be scheme, host and port alone, without a path"));
        }
        if let Some(Host::Domain(name)) = url.host() {
            // A trailing dot names the same host, but neither senders nor passkeys allow it.
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            if !is_host_name(&name) || url.set_host(Some(&name)).is_err() {
                return Err(format!("{text:?} does not have a valid host name"));
            }
        }
        Ok(Self {
            text: url.origin().ascii_serialization(),
            host: url.host_str().unwrap_or_default().to_owned(),
            secure,
            loopback: local,
        })
    }

    /// The origin of local mode if no public URL is set.
    pub fn on_this_machine(port: u16) -> Result<Self, String> {
        Self::parse(&format!("http://localhost:{port}"))
    }

    /// `scheme://host[:port]` as browsers write it in the `Origin` header (RFC 6454 §6.2).
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port as browsers write them in the `Host` header.
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or(&self.text, |(_, authority)| authority)
    }

    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// An absolute link to `path`.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

/// Whether `name` is a valid host name. Underscores are allowed, because DNS allows them (RFC 1123 §2.1, RFC 1035 §2.3.4).
pub(crate) fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_normalised_and_keeps_its_port() {
        let origin = Origin::parse("HTTPS://Id.Example.org:8443/").unwrap();
        assert_eq!(origin.as_str(), "https://id.example.org:8443");
        assert_eq!(origin.host(), "id.example.org");
        assert_eq!(Origin::parse("https://a.org:443").unwrap().as_str(), "https://a.org");
    }

    #[test]
    fn a_host_is_written_in_one_way() {
        for (written, origin) in [
            ("https://id.example.org.", "https://id.example.org"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("https://id.example.org.:8443", "https://id.example.org:8443"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            ("http://2130706433:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(Origin::parse(written).unwrap().as_str(), origin);
        }
        assert!(Origin::parse(&format!("https://{}.org", "a".repeat(64))).is_err());
    }

    #[test]
    fn plain_http_is_for_localhost_alone() {
        assert!(Origin::parse("http://localhost:8080").is_ok());
        assert!(Origin::parse("http://127.0.0.1:8080").is_ok());
        for bad in [
            "http://example.org",
            "ftp://localhost",
            "https://a.org/path",
            "https://u@a.org",
            "a.org",
            "",
            "http://localhost.evil.org",
            "https://a..b",
            "https://a-.example.org",
            "https://-a.example.org",
            "https://a*b.example.org",
            "https://a;b.example.org",
            "https://.example.org",
            "https://example.org..",
            "https://",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
