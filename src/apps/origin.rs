//! The origin at which browsers reach an app.

use std::fmt;

use crate::config::Origin;

/// Scheme, host and port of an app. Always https, except below `localhost`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppOrigin {
    https: bool,
    /// In lower-case ASCII.
    host: String,
    port: Option<u16>,
}

/// Why a text is not the origin of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidOrigin {
    /// Not `https://host[:port]`.
    Malformed,
    /// Plain http outside `*.localhost`.
    NotHttps,
    /// An IP address: cookies and certificates of an app need a name.
    Address,
}

impl AppOrigin {
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = url::Url::parse(text.trim()).map_err(|_| InvalidOrigin::Malformed)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidOrigin::Malformed),
        };
        let is_origin = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = match url.host() {
            Some(url::Host::Domain(host)) => host.to_owned(),
            Some(_) => return Err(InvalidOrigin::Address),
            None => return Err(InvalidOrigin::Malformed),
        };
        if !is_origin || !crate::config::is_host_name(&host) {
            return Err(InvalidOrigin::Malformed);
        }
        if !https && !is_below_localhost(&host) {
            return Err(InvalidOrigin::NotHttps);
        }
        Ok(Self { https, host, port: url.port() })
    }

    /// The origin of an app in local mode: `http://<slug>.localhost`, on the port of the portal.
    pub fn local(slug: &super::Slug, portal: &Origin) -> Option<Self> {
        let port = url::Url::parse(portal.as_str()).ok()?.port();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = if portal.is_secure() { "https" } else { "http" };
        Self::parse(&format!("{scheme}://{slug}.localhost{port}")).ok()
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// `None`: the default port of the scheme.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host and port as in a `Host` header.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether `header`, the value of an `Origin` header, is this origin.
    pub fn is(&self, header: &str) -> bool {
        let scheme = if self.https { "https://" } else { "http://" };
        let Some(rest) = header.strip_prefix(scheme) else { return false };
        let Some(port) = rest.strip_prefix(self.host.as_str()) else { return false };
        match (self.port, port.strip_prefix(':')) {
            (None, None) => port.is_empty(),
            (Some(own), Some(port)) => port.parse() == Ok(own),
            _ => false,
        }
    }
}

impl fmt::Display for AppOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_below_localhost(host: &str) -> bool {
    host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_in_one_way() {
        for (text, origin) in [
            ("https://wiki.example.org", "https://wiki.example.org"),
            ("HTTPS://Wiki.Example.org:443/", "https://wiki.example.org"),
            ("https://b\u{fc}cher.example:8443", "https://xn--bcher-kva.example:8443"),
            ("http://wiki.localhost:8080", "http://wiki.localhost:8080"),
            ("http://wiki.localhost:80", "http://wiki.localhost"),
        ] {
            assert_eq!(AppOrigin::parse(text).map(|origin| origin.to_string()).as_deref(), Ok(origin));
        }
    }

    #[test]
    fn plain_http_is_for_names_below_localhost_alone() {
        for (text, why) in [
            ("http://wiki.example.org", InvalidOrigin::NotHttps),
            ("http://localhost:8080", InvalidOrigin::NotHttps),
            ("http://wiki.localhost.evil.org", InvalidOrigin::NotHttps),
            ("https://127.0.0.1", InvalidOrigin::Address),
            ("https://[::1]:8443", InvalidOrigin::Address),
            ("ftp://wiki.localhost", InvalidOrigin::Malformed),
            ("https://wiki.example.org/sub", InvalidOrigin::Malformed),
            ("https://wiki.example.org/?q", InvalidOrigin::Malformed),
            ("https://u@wiki.example.org", InvalidOrigin::Malformed),
            ("https://:p@wiki.example.org", InvalidOrigin::Malformed),
            ("https://wiki..example.org", InvalidOrigin::Malformed),
            ("https://wiki.example.org.", InvalidOrigin::Malformed),
            ("wiki.example.org", InvalidOrigin::Malformed),
            ("", InvalidOrigin::Malformed),
        ] {
            assert_eq!(AppOrigin::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_origin_header_is_compared_with_scheme_host_and_port() {
        let origin = AppOrigin::parse("https://wiki.example.org").unwrap();
        let local = AppOrigin::parse("http://wiki.localhost:8080").unwrap();
        assert!(origin.is("https://wiki.example.org") && local.is("http://wiki.localhost:8080"));
        for other in [
            "http://wiki.example.org",
            "https://wiki.example.org:8443",
            "https://wiki.example.org.evil.org",
            "https://evil.org",
            "null",
            "",
            "https://wiki.example.org/",
        ] {
            assert!(!origin.is(other), "{other}");
        }
        for other in ["http://wiki.localhost", "http://wiki.localhost:80801", "http://wiki.localhost:"] {
            assert!(!local.is(other), "{other}");
        }
    }
}
