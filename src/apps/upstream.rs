//! The address of the program behind an app.

use std::fmt;

use url::Host;

/// Where requests for an app are sent: scheme, host and port. The path comes from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub tls: bool,
    /// A name or an IP address; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
    /// The certificates to trust for this upstream, in PEM; `None`: those of the system.
    pub ca: Option<String>,
}

/// Why a text is not an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUpstream {
    /// Not `http://host[:port]` or `https://host[:port]`.
    Malformed,
    /// It contains a user name or a password.
    Userinfo,
    /// It contains a path, a query or a fragment.
    Path,
    /// The certificates are not PEM.
    Certificates,
    /// Certificates for an upstream without TLS.
    CertificatesWithoutTls,
}

impl Upstream {
    /// * `ca`: the certificates to trust, in PEM.
    pub fn parse(text: &str, ca: Option<&str>) -> Result<Self, InvalidUpstream> {
        let url = url::Url::parse(text.trim()).map_err(|_| InvalidUpstream::Malformed)?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidUpstream::Malformed),
        };
        // A parsed URL does not distinguish "http://@host" from "http://host".
        if text.contains('@') {
            return Err(InvalidUpstream::Userinfo);
        }
        if url.path() != "/" || text.contains(['?', '#']) {
            return Err(InvalidUpstream::Path);
        }
        let host = match url.host() {
            Some(Host::Domain(host)) if crate::config::is_host_name(host) => host.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => return Err(InvalidUpstream::Malformed),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(InvalidUpstream::Malformed)?;
        let ca = ca.map(|pem| certificates(pem, tls)).transpose()?;
        Ok(Self { tls, host, port, ca })
    }

    /// Host and port as in a `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

fn certificates(pem: &str, tls: bool) -> Result<String, InvalidUpstream> {
    if !tls {
        return Err(InvalidUpstream::CertificatesWithoutTls);
    }
    let (begins, ends) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let blocks = pem.matches(begins).count();
    let is_pem =
        blocks > 0 && blocks == pem.matches(ends).count() && pem.is_ascii() && !pem.contains("PRIVATE");
    if is_pem { Ok(format!("{}\n", pem.trim())) } else { Err(InvalidUpstream::Certificates) }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_scheme_host_and_port() {
        for (text, written, port) in [
            ("http://wiki:3000", "http://wiki:3000", 3000),
            ("http://127.0.0.1", "http://127.0.0.1", 80),
            ("https://[::1]:443/", "https://[::1]", 443),
            ("HTTPS://Wiki.Internal", "https://wiki.internal", 443),
            ("http://wiki_app.ns.svc:8080", "http://wiki_app.ns.svc:8080", 8080),
        ] {
            let upstream = Upstream::parse(text, None).unwrap();
            assert_eq!((upstream.to_string().as_str(), upstream.port), (written, port));
        }
        for (text, why) in [
            ("wiki:3000", InvalidUpstream::Malformed),
            ("ftp://wiki", InvalidUpstream::Malformed),
            ("unix:/run/wiki", InvalidUpstream::Malformed),
            ("http://", InvalidUpstream::Malformed),
            ("http://wiki:0", InvalidUpstream::Malformed),
            ("http://a..b", InvalidUpstream::Malformed),
            ("http://u:p@wiki", InvalidUpstream::Userinfo),
            ("http://@wiki", InvalidUpstream::Userinfo),
            ("http://wiki/app", InvalidUpstream::Path),
            ("http://wiki/?", InvalidUpstream::Path),
            ("http://wiki#x", InvalidUpstream::Path),
        ] {
            assert_eq!(Upstream::parse(text, None), Err(why), "{text}");
        }
    }

    #[test]
    fn certificates_are_pem_and_need_tls() {
        let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----";
        let upstream = Upstream::parse("https://wiki", Some(pem)).unwrap();
        assert_eq!(upstream.ca.as_deref().map(str::trim), Some(pem));
        assert_eq!(Upstream::parse("http://wiki", Some(pem)), Err(InvalidUpstream::CertificatesWithoutTls));
        for bad in ["", "MA==", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(Upstream::parse("https://wiki", Some(bad)), Err(InvalidUpstream::Certificates));
        }
    }
}
