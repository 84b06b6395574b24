//! How proxies describe the request that they ask about.

use actix_web::http::header::{self, HeaderName};

/// The headers in which a proxy describes a request, and the answers that it understands. The path of a decision names
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Nginx,
    /// Caddy and Traefik.
    Forward,
    Haproxy,
    Envoy,
}

impl Flavour {
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Forward, Self::Haproxy, Self::Envoy];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Forward => "forward",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flavour| flavour.as_str() == text)
    }

    /// The header that names the scheme of the request.
    pub fn scheme_header(self) -> HeaderName {
        match self {
            Self::Nginx => X_ORIGINAL_URL,
            Self::Forward | Self::Haproxy | Self::Envoy => header::X_FORWARDED_PROTO,
        }
    }
}

pub const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
pub const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
pub const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
pub const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
