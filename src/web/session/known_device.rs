//! The known-device cookie, set after a successful log-in. It is not a credential: it decides which counter failed
//! attempts go to (docs/decisions/lock-out.md).

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;

use crate::login::DeviceCookie;
use crate::secret::{Token, TokenHash};
use crate::web::http::cookies;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;

/// Hash of the token in the browser's cookie, whether or not this server issued it.
pub fn shown(request: &HttpRequest, shared: &Shared) -> Option<TokenHash> {
    Token::hash_of(&cookies::value(request.headers(), &shared.cookie.browser)?)
}

/// Sets the cookie, or renews it.
pub fn keep(request: &HttpRequest, shared: &Shared, proof: &DeviceCookie) {
    let token = match proof {
        DeviceCookie::Set(token) => Some(token.reveal().to_owned()),
        DeviceCookie::Keep => {
            cookies::value(request.headers(), &shared.cookie.browser).map(|value| value.into_owned())
        }
    };
    if let Some(token) = token {
        let known_for = Duration::seconds(shared.known_for.as_secs().into());
        let cookie = shared.cookie(&shared.cookie.browser, token).max_age(known_for);
        RequestState::of(request).put_cookie(cookie.finish());
    }
}
