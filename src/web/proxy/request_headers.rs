//! The headers that an upstream receives.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

use super::error::ProxyError;
use super::hop_by_hop::{NamedByConnection, is_hop_by_hop};
use super::identity::Identity;
use super::our_cookies;
use super::our_tokens::holds_token;
use super::outgoing_head::OutgoingHead;
use crate::apps::{App, AppOrigin, Upstream, UpstreamHost};

/// If `Connection` could remove these, the decision and the upstream could see different requests.
const PROTECTED: &[&str] = &["host", "content-length", "cookie", "authorization", "origin"];

/// What Latchkey adds to the headers of a request.
pub struct RequestFacts<'a> {
    pub app: &'a App,
    pub upstream: &'a Upstream,
    pub identity: Option<&'a Identity<'a>>,
    pub client: Option<IpAddr>,
    /// The origin of the app that the request is for.
    pub origin: &'a AppOrigin,
    pub body: BodyLength,
}

/// How the end of a request's body is recognized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BodyLength {
    /// There is no body; whether the client said `Content-Length: 0`.
    None {
        said: bool,
    },
    Sized(u64),
    Chunked,
}

impl BodyLength {
    /// The body that a request's headers announce (RFC 9112 §6.3).
    pub fn announced(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Self::Chunked;
        }
        let length = headers.get(header::CONTENT_LENGTH);
        match length.and_then(|length| length.to_str().ok()?.trim().parse().ok()) {
            None | Some(0) => Self::None { said: length.is_some() },
            Some(length) => Self::Sized(length),
        }
    }

    pub fn has_body(self) -> bool {
        !matches!(self, Self::None { .. })
    }
}

/// Appends the client's headers, without those that are for Latchkey or that only a proxy may set, and Latchkey's own.
pub fn write(sent: &HeaderMap, facts: &RequestFacts<'_>, out: &mut OutgoingHead) -> Result<(), ProxyError> {
    // The host as it was registered: the client may name any port.
    let host = facts.origin.authority();
    match facts.app.upstream_host {
        UpstreamHost::Kept => out.append("host", host.as_bytes())?,
        UpstreamHost::Upstream => out.append("host", facts.upstream.authority().as_bytes())?,
    }
    let connection = sent.get_all(header::CONNECTION).map(|value| value.as_bytes());
    let named = NamedByConnection::new(connection, PROTECTED);
    let own = facts.app.header_names.all();
    let families = own.map(|name| family(name.as_str()));
    for (name, value) in sent {
        let name = name.as_str();
        let is_own = || {
            own.iter().any(|own| own.as_str().eq_ignore_ascii_case(name))
                || families.iter().flatten().any(|family| starts_with(name, family))
        };
        if is_set_elsewhere(name)
            || is_hop_by_hop(name)
            || is_for_proxies(name)
            || is_identity(name)
            || named.contains(name)
            || is_own()
            || name == "authorization" && holds_token(value.as_bytes())
        {
            continue;
        }
        out.append(name, value.as_bytes())?;
    }
    if let Some(cookies) = our_cookies::without_ours(sent.get_all(header::COOKIE).map(|line| line.as_bytes()))
    {
        out.append("cookie", &cookies)?;
    }
    out.append("x-forwarded-host", host.as_bytes())?;
    out.append("x-forwarded-proto", if facts.origin.is_https() { b"https" } else { b"http" })?;
    if let Some(client) = facts.client {
        out.append("x-forwarded-for", client.to_string().as_bytes())?;
    }
    if let Some(identity) = facts.identity {
        identity.write_to(out, &facts.app.header_names, facts.app.remote_user)?;
    }
    match facts.body {
        BodyLength::None { said: false } => Ok(()),
        BodyLength::None { said: true } => out.append("content-length", b"0"),
        BodyLength::Sized(length) => out.append("content-length", length.to_string().as_bytes()),
        BodyLength::Chunked => out.append("transfer-encoding", b"chunked"),
    }
}

/// These headers are written once, after the loop.
fn is_set_elsewhere(name: &str) -> bool {
    matches!(name, "host" | "cookie" | "content-length")
}

/// The family of a renamed identity header, such as `x-webauth-` of `X-WebAuth-User`: an app that believes one of them
/// may believe the others. A family that is not for identities has no such beginning.
fn family(own: &str) -> Option<&str> {
    let family = &own[..=own.rfind('-')?];
    let is_other =
        ["x-requested-", "x-csrf-", "x-request-"].iter().any(|other| family.eq_ignore_ascii_case(other));
    (starts_with(family, "x-") && !is_other).then_some(family)
}

/// Ignores the case.
fn starts_with(name: &str, beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(beginning))
}

/// The usual names of identity headers, Latchkey's and those of other proxies, because an app may have an integration
/// for such a proxy enabled.
fn is_identity(name: &str) -> bool {
    const FAMILIES: [&str; 18] = [
        "remote-",
        "x-remote-",
        "x-webauth-",
        "x-auth-request-",
        "x-authentik-",
        "x-authenticated-",
        "x-pomerium-",
        "x-token-",
        "x-goog-",
        "x-ms-client-",
        "x-ms-token-",
        "x-amzn-oidc-",
        "x-envoy-",
        "x-ssl-",
        "x-client-",
        "ssl-client",
        "tailscale-",
        "cf-",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family))
        || matches!(
            name,
            "client-cert" | "client-cert-chain" | "x-user" | "x-email" | "x-groups" | "x-proxyuser-ip"
        )
}

/// Headers with which a proxy tells an application where a request came from or what it is really for. Applications
/// trust them, so a client may not send them.
fn is_for_proxies(name: &str) -> bool {
    // Servers that turn headers into variables treat any other character like the hyphen.
    !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        || name.starts_with("x-forwarded")
        || name.starts_with("x-original-")
        || name.starts_with("x-accel-")
        // The doctor's question, and headers that only Latchkey sends.
        || name.starts_with("x-latchkey-")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "x-cluster-client-ip"
                | "true-client-ip"
                | "client-ip"
                | "proxy-client-ip"
                | "wl-proxy-client-ip"
                | "x-originating-ip"
                | "x-azure-clientip"
                | "x-azure-socketip"
                | "x-http-path-override"
                | "base-url"
                | "fastly-client-ip"
                | "x-rewrite-url"
                | "x-host"
                | "x-http-host-override"
                | "x-http-method"
                | "x-http-method-override"
                | "x-method-override"
                | "x-sendfile-type"
                | "x-scheme"
                | "x-url-scheme"
                | "front-end-https"
                // CGI reads it as the variable HTTP_PROXY.
                | "proxy"
        )
}

#[cfg(test)]
mod tests;
