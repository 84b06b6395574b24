//! The target of a request that is passed on.

use std::borrow::Cow;

use actix_http::RequestHead;
use actix_web::http::{Method, header};

use super::error::ProxyError;

/// The path and query, byte for byte. A target in absolute form must name the same host as `Host`: RFC 9112 §3.2.2 lets
/// the target win, but then the decision would have been made for another host.
pub fn of(head: &RequestHead) -> Result<Cow<'_, str>, ProxyError> {
    if head.method == Method::CONNECT {
        return Err(ProxyError::BadRequest("CONNECT is not for apps"));
    }
    if let Some(authority) = head.uri.authority() {
        let host = head.headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
        if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.trim_ascii()) {
            return Err(ProxyError::BadRequest("the target and Host name different hosts"));
        }
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    // A parser that leaves out a fragment would not send what was decided.
    if target.bytes().any(|byte| byte <= b' ' || matches!(byte, b'#' | 0x7f)) {
        return Err(ProxyError::BadRequest("the target is invalid"));
    }
    Ok(if target.starts_with('?') { format!("/{target}").into() } else { target.into() })
}

#[cfg(test)]
mod tests {
    use actix_web::http::Uri;
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn target(uri: &str, host: &'static str) -> Option<String> {
        let mut head = RequestHead::default();
        head.uri = Uri::try_from(uri).expect("a target that actix parses");
        head.headers.insert(header::HOST, HeaderValue::from_static(host));
        of(&head).ok().map(|target| target.to_string())
    }

    #[test]
    fn a_path_is_passed_on_byte_for_byte() {
        for path in [
            "/",
            "/a%2Fb/..%2f",
            "//x//y/",
            "/a/../b/./c",
            "/q?x=[1]&y={2}&z=%5B",
            "/[x]",
            "/%00%zz",
            "/a;b=c,d",
            "/a|b^c`d",
            "/ünï",
            "/?",
            "/a?b?c",
            "*",
        ] {
            if let Ok(uri) = Uri::try_from(path) {
                assert_eq!(target(uri.to_string().as_str(), "wiki.localhost").as_deref(), Some(path));
            }
        }
    }

    #[test]
    fn a_target_in_absolute_form_names_the_host() {
        let same = target("http://Wiki.localhost:8080/abs?x", "wiki.localhost:8080");
        assert_eq!(same.as_deref(), Some("/abs?x"));
        assert_eq!(target("http://wiki.localhost", "wiki.localhost").as_deref(), Some("/"));
        for other in [
            "http://secret.localhost:8080/",
            "http://wiki.localhost/",
            "http://u@wiki.localhost:8080/",
            "http://wiki.localhost:80801/",
        ] {
            assert_eq!(target(other, "wiki.localhost:8080"), None, "{other}");
        }
    }
}
