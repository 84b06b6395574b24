//! The headers of every response, error pages included.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::{ServerSettings, Switch};

/// No scripts, styles and images from this site only, no framing, forms sent to this site only (ASVS 5.0 3.4.3).
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same, plus our own scripts, which may connect to this site only.
const CSP_WITH_SCRIPT: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Carries the query of `latchkey doctor` (see `web::ops::doctor`).
pub const DOCTOR_QUESTION: &str = "x-latchkey-doctor";

const ALWAYS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Our own pages may see where a form came from; other sites never see our URLs.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// Two years (ASVS 5.0 3.4.1). Hosts below the public one may lack TLS, so they are included only if the operator says
/// so.
const HSTS: &str = "max-age=63072000";
const HSTS_SUBDOMAINS: &str = "max-age=63072000; includeSubDomains";

/// `Strict-Transport-Security` according to the settings; `None` without TLS.
pub fn hsts(server: &ServerSettings) -> Option<&'static str> {
    server.public.is_secure().then_some(match server.hsts_subdomains {
        Switch::On => HSTS_SUBDOMAINS,
        Switch::Off => HSTS,
    })
}

/// Adds the missing headers. Everything except static files is `no-store`, because every page contains a form token. A
/// page may have a stricter `Referrer-Policy` of its own.
pub fn add(headers: &mut HeaderMap, hsts: Option<&'static str>, scripted: bool) {
    let policy = HeaderValue::from_static(if scripted { CSP_WITH_SCRIPT } else { CSP });
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let referrer_policy = headers.remove(header::REFERRER_POLICY).next();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(own) = referrer_policy.filter(|own| own == "no-referrer") {
        headers.insert(header::REFERRER_POLICY, own);
    }
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(hsts));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
