//! The origin check: requests that change something have to come from our own pages (ASVS 5.0 3.5.1). The form token is
//! an independent second check.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use url::{Host, Url};

use super::error::Error;
use super::shared::Shared;

/// Refuses a request that may change something unless one of our pages sent it. Every service of the application calls
/// this first: the rows of the table, the resources beside it, and the answer for unknown paths.
pub fn check(request: &HttpRequest, shared: &Shared) -> Result<(), Error> {
    let ours = || is_ours(request.headers(), shared.public.as_str(), shared.any_local_name);
    if request.method().is_safe() || ours() { Ok(()) } else { Err(Error::CrossSite) }
}

/// `Sec-Fetch-Site` and `Origin` have to match our origin if they are present. A client that sends neither is not a
/// browser that could be tricked, and it still needs the token.
fn is_ours(headers: &HeaderMap, public: &str, any_local_name: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) if site != "same-origin" && site != "none" => false,
        (_, Some(origin)) if origin == public => true,
        // A page without a referrer sends `null`. In local mode one page has several host names (`localhost`,
        // `127.0.0.1`); elsewhere another host name is another site, or a misconfigured proxy.
        (Some(_), Some(origin)) => origin == "null" || any_local_name && is_local(origin),
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

fn is_local(origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

/// Whether the browser's headers prove that one of our pages sent this. Missing headers are not enough.
pub fn is_vouched(headers: &HeaderMap, public: &str) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    is("sec-fetch-site", "same-origin") || is(header::ORIGIN.as_str(), public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn ours(pairs: &[(&'static str, &'static str)]) -> bool {
        judged(pairs, false)
    }

    fn judged(pairs: &[(&'static str, &'static str)], any_local_name: bool) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        is_ours(&headers, "https://id.example.org", any_local_name)
    }

    #[test]
    fn a_foreign_origin_is_refused_regardless_of_other_headers() {
        let origins = [
            "https://evil.example",
            "http://id.example.org",
            "https://id.example.org.",
            "https://id.example.org:8443",
            "https://ID.example.org",
            "http://localhost:8080",
            "https://id.example.org, https://evil.example",
            "",
        ];
        for origin in origins {
            for site in ["same-origin", "none"] {
                assert!(!ours(&[("sec-fetch-site", site), ("origin", origin)]), "{origin} {site}");
            }
        }
    }

    #[test]
    fn in_local_mode_every_name_of_this_machine_is_ours_and_no_other() {
        let sent = |origin| judged(&[("sec-fetch-site", "same-origin"), ("origin", origin)], true);
        for origin in [
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://wiki.localhost:8080",
        ] {
            assert!(sent(origin), "{origin}");
            assert!(!judged(&[("origin", origin)], true), "{origin} of an old browser");
        }
        for origin in [
            "http://evil.example",
            "http://localhost.evil.example",
            "http://192.0.2.7:8080",
            "file://",
            "localhost",
        ] {
            assert!(!sent(origin), "{origin}");
        }
    }

    #[test]
    fn our_own_pages_pass() {
        assert!(ours(&[]));
        assert!(ours(&[("origin", "https://id.example.org")]));
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "https://id.example.org")]));
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(ours(&[("sec-fetch-site", "none")]));
    }

    #[test]
    fn other_sites_do_not() {
        for pairs in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "https://id.example.org.evil.example")],
            &[("origin", "http://id.example.org")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://id.example.org")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://id.example.org")],
        ] {
            assert!(!ours(pairs), "{pairs:?}");
        }
    }
}
