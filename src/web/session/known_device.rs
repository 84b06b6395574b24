//! The cookie by which a browser is known in which somebody has logged in before. It is no credential: it chooses where
//! wrong passwords count, and opens nothing (docs/decisions/lock-out.md).

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpMessage as _, HttpRequest};

use crate::login::DeviceCookie;
use crate::secret::{Token, TokenHash};
use crate::web::Shared;
use crate::web::http::cookies;

/// What this request's browser is to keep.
#[derive(Clone)]
struct Kept(String);

/// Hash of what the browser shows, whoever gave it out.
pub fn shown(request: &HttpRequest, shared: &Shared) -> Option<TokenHash> {
    Token::hash_of(&cookies::value(request.headers(), &shared.cookie.browser)?)
}

/// The answer hands the proof out, or out once more so that it lasts.
pub fn keep(request: &HttpRequest, shared: &Shared, proof: &DeviceCookie) {
    let value = match proof {
        DeviceCookie::Set(token) => Some(token.reveal().to_owned()),
        DeviceCookie::Keep => {
            cookies::value(request.headers(), &shared.cookie.browser).map(|value| value.into_owned())
        }
    };
    if let Some(value) = value {
        request.extensions_mut().insert(Kept(value));
    }
}

/// The cookie that carries the proof, if this request earned one.
pub fn cookie(request: &HttpRequest, shared: &Shared) -> Option<Cookie<'static>> {
    let Kept(value) = request.extensions().get::<Kept>().cloned()?;
    let known_for = Duration::seconds(shared.known_for.as_secs().into());
    let cookie = Cookie::build(shared.cookie.browser.clone(), value)
        .path("/")
        .http_only(true)
        .secure(shared.public.is_secure())
        .same_site(SameSite::Lax)
        .max_age(known_for);
    Some(cookie.finish())
}
