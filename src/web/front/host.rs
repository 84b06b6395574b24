//! Finds the host that a request names, in the `Host` header alone. An absolute target must agree with it (RFC 9112
//! §3.2.2), so that no request is checked for one host and answered for another.

use actix_http::RequestHead;
use actix_web::http::header;

/// The request names no host, several, or two different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHost;

/// The host and port as the client sent them.
pub fn named(head: &RequestHead) -> Result<&str, NoHost> {
    let mut hosts = head.headers.get_all(header::HOST);
    let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or(NoHost)?;
    if hosts.next().is_some() || host.is_empty() {
        return Err(NoHost);
    }
    match head.uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(NoHost),
        _ => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn head(target: &str, hosts: &[&'static str]) -> RequestHead {
        let mut head = RequestHead::default();
        head.uri = target.parse().unwrap();
        for host in hosts {
            head.headers.append(header::HOST, HeaderValue::from_static(host));
        }
        head
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        assert_eq!(named(&head("/", &["wiki.localhost:8080"])), Ok("wiki.localhost:8080"));
        assert_eq!(named(&head("http://Wiki.localhost/x", &["wiki.localhost"])), Ok("wiki.localhost"));
        for (target, hosts) in [
            ("/", &[][..]),
            ("/", &[""]),
            ("/", &["a.example", "b.example"]),
            ("/", &["a.example", "a.example"]),
            ("http://secret.example/", &["public.example"]),
            ("http://secret.example/", &["secret.example:80"]),
            ("http://user@public.example/", &["public.example"]),
        ] {
            assert_eq!(named(&head(target, hosts)), Err(NoHost), "{target} {hosts:?}");
        }
    }
}
