//! The cookie by which the page of the mailed link recognizes the browser that began a registration. Each registration
//! sets a new one. It is not a credential: it only saves typing the password again
//! (docs/decisions/registrations-are-not-users.md).

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;

use crate::secret::{Token, TokenHash};
use crate::web::http::cookies;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;

/// Hash of the token in the browser's cookie.
pub fn shown(request: &HttpRequest, shared: &Shared) -> Option<TokenHash> {
    Token::hash_of(&cookies::value(request.headers(), &shared.cookie.registration)?)
}

/// The browser keeps `token` for as long as the link of its registration works.
pub fn keep(request: &HttpRequest, shared: &Shared, token: &Token) {
    let lasts = Duration::seconds(shared.verify_for.as_secs().into());
    let cookie = shared.cookie(&shared.cookie.registration, token.reveal().to_owned()).max_age(lasts);
    RequestState::of(request).put_cookie(cookie.finish());
}

/// The registration is completed or cancelled.
pub fn forget(request: &HttpRequest, shared: &Shared) {
    RequestState::of(request).put_cookie(shared.removal(&shared.cookie.registration));
}
