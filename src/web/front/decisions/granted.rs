//! The answer that lets a request in: it tells the proxy which headers the app receives.

use actix_http::Response;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::flavour::Flavour;
use crate::apps::{App, IdentityHeaders};
use crate::web::proxy::{Identity, holds_token};

/// A list of headers that Envoy removes from the request.
const ENVOY_REMOVES: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// The request carries an access token of ours in `Authorization`, which the proxy must remove.
const HAS_TOKEN: HeaderName = HeaderName::from_static("x-latchkey-token");

/// With more hyphens, a name has more spellings than fit into a header.
const MOST_HYPHENS: usize = 5;

/// The name of an identity header has too many spellings for Envoy to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySpellings;

/// All identity headers are sent, empty ones for a visitor: proxies pass the client's header on if one is absent.
///
/// * `sent`: the headers of the decision.
pub fn granted(
    flavour: Flavour,
    app: &App,
    identity: Option<&Identity<'_>>,
    sent: &HeaderMap,
) -> Result<Response<BoxBody>, TooManySpellings> {
    let mut response = Response::new(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let values = identity.map(|identity| identity.values(app.remote_user)).unwrap_or_default();
    for (name, value) in app.header_names.all().into_iter().zip(values) {
        // The name was checked when it was stored, and the value is ASCII without control characters.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    let mut credentials = sent.get_all(header::AUTHORIZATION);
    let has_token = || sent.get_all(header::AUTHORIZATION).any(|value| holds_token(value.as_bytes()));
    match flavour {
        Flavour::Nginx | Flavour::Haproxy => {
            if has_token() {
                headers.insert(HAS_TOKEN, HeaderValue::from_static("1"));
            }
        }
        // Caddy and Traefik replace the header by the one that the decision returns.
        Flavour::Forward => {
            for own in credentials.by_ref().filter(|value| !holds_token(value.as_bytes())) {
                headers.append(header::AUTHORIZATION, own.clone());
            }
        }
        Flavour::Envoy => {
            let mut names = dotted(&app.header_names)?;
            if has_token() {
                names.push_str(",authorization");
            }
            if let Ok(names) = HeaderValue::from_str(&names) {
                headers.insert(ENVOY_REMOVES, names);
            }
        }
    }
    Ok(response)
}

/// The names with dots in place of hyphens, in every combination: many servers treat both alike. Envoy drops names with
/// underscores by itself.
fn dotted(names: &IdentityHeaders) -> Result<String, TooManySpellings> {
    let mut list = String::new();
    for name in names.all() {
        let name = name.as_str().to_ascii_lowercase();
        let hyphens = name.matches('-').count();
        if hyphens > MOST_HYPHENS {
            return Err(TooManySpellings);
        }
        for combination in 1_u32..1 << hyphens {
            if !list.is_empty() {
                list.push(',');
            }
            let mut hyphen = 0;
            list.extend(name.chars().map(|char| {
                if char != '-' {
                    return char;
                }
                hyphen += 1;
                if combination & (1 << (hyphen - 1)) == 0 { '-' } else { '.' }
            }));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use crate::apps::IdentityHeaderName;

    use super::*;

    fn named(user: &str) -> IdentityHeaders {
        IdentityHeaders { user: IdentityHeaderName::parse(user).unwrap(), ..IdentityHeaders::default() }
    }

    #[test]
    fn envoy_removes_every_dotted_spelling() {
        let all = dotted(&IdentityHeaders::default());
        assert_eq!(all.as_deref(), Ok("remote.user,remote.email,remote.name,remote.groups"));
        let renamed = dotted(&named("X-WebAuth-User")).unwrap();
        assert!(
            renamed.starts_with("x.webauth-user,x-webauth.user,x.webauth.user,remote.email,"),
            "{renamed}"
        );
        assert!(dotted(&named("User")).unwrap().starts_with("remote.email"));
        assert!(dotted(&named("a-b-c-d-e-f")).is_ok_and(|list| HeaderValue::from_str(&list).is_ok()));
        assert_eq!(dotted(&named("a-b-c-d-e-f-g")), Err(TooManySpellings));
    }
}
