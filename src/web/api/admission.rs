//! The first step of every row of the API: finds the token of the request and puts it into the request state. Cookies
//! are not read, and no answer has CORS headers, so a page of another site cannot make a browser send a request that
//! counts.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use super::context::client;
use super::problems::unknown_token;
use crate::db::Refusable as _;
use crate::web::http::error::Error;
use crate::web::http::problem::Problem;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;
use latchkey_sessions::Use;

/// Looks up the token of the request: in memory while the lease holds. A request without a token is left to the guard,
/// which refuses it.
///
/// # Errors
/// 401 if the token is not live, 429 if the client's network has sent too many of those.
pub async fn identify(request: &HttpRequest, usage: Use) -> Result<(), Error> {
    let (state, shared) = (RequestState::of(request), Shared::of(request)?);
    state.set_token(None);
    let Some(raw) = bearer(request.headers()) else { return Ok(()) };
    let found = shared.accounts.tokens.authenticate(raw, &client(request, shared), usage).await.split()?;
    match found {
        Ok(Some(token)) => state.set_token(Some(token)),
        Ok(None) => return Err(unknown_token().into()),
        Err(wait) => return Err(Problem::too_many(wait).into()),
    }
    Ok(())
}

/// The token in `Authorization: Bearer` (RFC 6750 §2.1). `None` if there are several such headers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION);
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn token(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn a_token_is_one_bearer_credential_in_any_case() {
        for value in ["Bearer lk_x", "bearer lk_x", "BEARER  lk_x"] {
            assert_eq!(token(&[value]).as_deref(), Some("lk_x"), "{value}");
        }
        for values in [&[][..], &["lk_x"], &["Basic bGs6"], &["Bearer"], &["Bearer lk_x", "Bearer lk_x"]] {
            assert_eq!(token(values), None, "{values:?}");
        }
    }
}
