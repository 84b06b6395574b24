//! The headers of a response that the client receives.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::hop_by_hop::{NamedByConnection, is_hop_by_hop};
use super::our_cookies;
use super::response_head::ReceivedHeaders;
use crate::apps::{AppOrigin, Upstream};

/// If `Connection` could remove these, the response would change its meaning.
const PROTECTED: &[&str] = &["content-length", "content-type", "set-cookie", "cache-control"];

/// What the rules for a response depend on.
pub struct ResponseFacts<'a> {
    /// The response is for one user, or for some networks, alone.
    pub is_private: bool,
    /// The origin of the app, as browsers know it.
    pub app_origin: &'a AppOrigin,
    pub upstream: &'a Upstream,
}

/// Writes the upstream's headers to `out`, without those that are for Latchkey or that affect more than the app, with the
/// length of the body.
pub fn write(sent: ReceivedHeaders, facts: &ResponseFacts<'_>, out: &mut HeaderMap) {
    let named = NamedByConnection::new(sent.all(header::CONNECTION), PROTECTED);
    for (name, value) in sent.0 {
        let text = name.as_str();
        if is_hop_by_hop(text) || is_dropped(text) || named.contains(text) {
            continue;
        }
        match text {
            "set-cookie" if our_cookies::sets_ours(&value) => {}
            "set-cookie" => out.append(name, our_cookies::for_host(value, facts.app_origin.host())),
            "clear-site-data" => {
                if let Some(value) = without_cookies(&value) {
                    out.append(name, value);
                }
            }
            "location" => out.append(name, relocated(value, facts)),
            text if facts.is_private && is_for_shared_caches(text) => {}
            _ => out.append(name, value),
        }
    }
    if facts.is_private {
        keep_private(out);
    }
    out.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// Instructions to a proxy in front of Latchkey, and headers that affect more than the app.
fn is_dropped(name: &str) -> bool {
    name.starts_with("x-accel-")
        // These distinguish our own responses from the app's.
        || name.starts_with("x-latchkey-")
        || matches!(name, "alt-svc" | "x-sendfile" | "x-lighttpd-send-file")
}

/// Instructions to shared caches that take precedence over `Cache-Control`.
fn is_for_shared_caches(name: &str) -> bool {
    name.ends_with("cdn-cache-control")
        || matches!(
            name,
            "surrogate-control" | "edge-control" | "akamai-cache-control" | "x-litespeed-cache-control"
        )
}

/// `Clear-Site-Data` without the part that clears the cookies of the whole registrable domain, the portal's included.
fn without_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    let kinds = value.to_str().ok()?.split(',').map(str::trim);
    let mut kept: Vec<&str> = Vec::new();
    for kind in kinds {
        match kind.trim_matches('"').to_ascii_lowercase().as_str() {
            "cookies" | "" => {}
            // `*` includes the cookies.
            "*" => kept.extend(["\"cache\"", "\"storage\"", "\"executionContexts\""]),
            _ => kept.push(kind),
        }
    }
    if kept.is_empty() { None } else { HeaderValue::from_str(&kept.join(", ")).ok() }
}

/// Names the app's origin instead of the upstream's, which browsers do not know. Any other location stays.
fn relocated(value: HeaderValue, facts: &ResponseFacts<'_>) -> HeaderValue {
    let moved = value.to_str().ok().and_then(|location| {
        let upstream = facts.upstream.to_string();
        let at = upstream.len();
        let (origin, rest) = (location.get(..at)?, location.get(at..)?);
        let ends = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        (ends && origin.eq_ignore_ascii_case(&upstream))
            .then(|| HeaderValue::from_str(&format!("{}{rest}", facts.app_origin)).ok())?
    });
    moved.unwrap_or(value)
}

/// Keeps the response out of caches that serve other users, unless the upstream was stricter.
fn keep_private(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        return;
    }
    let mut kept = vec!["private".to_owned()];
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in directives(&String::from_utf8_lossy(value.as_bytes())) {
            let name = directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
            match name.as_str() {
                "no-store" => return,
                "public" | "private" | "s-maxage" | "proxy-revalidate" | "" => {}
                _ => kept.push(directive),
            }
        }
    }
    if let Ok(value) = HeaderValue::from_str(&kept.join(", ")) {
        headers.insert(header::CACHE_CONTROL, value);
    } else {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// The directives, separated by commas outside quotes.
fn directives(text: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts.map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests;
