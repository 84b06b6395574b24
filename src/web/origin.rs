//! Requests that change something must come from our own pages (ASVS 5.0 3.5.1). The form's token is the
//! second lock behind this one.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::Shared;
use super::error::Error;

pub async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let ours = request
        .app_data::<Data<Shared>>()
        .is_some_and(|shared| is_ours(request.headers(), shared.public.as_str()));
    if request.method().is_safe() || ours {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    Ok(request.error_response(Error::CrossSite))
}

/// `Sec-Fetch-Site` where the browser sends it, else `Origin`; a client that sends neither is no browser
/// of somebody else's, and has the token to show.
fn is_ours(headers: &HeaderMap, public: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) if site != "same-origin" && site != "none" => false,
        (_, Some(origin)) if origin == public => true,
        // A page without referrer sends `null`; one opened under another local name its own name.
        (Some(_), Some(_)) => true,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn ours(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        is_ours(&headers, "https://id.example.org")
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
