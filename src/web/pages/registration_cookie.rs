//! The cookie by which the browser that began a registration is recognised on the page behind the mailed link. Each
//! registration gives out a new one. It opens nothing: it only saves typing the password once more
//! (docs/decisions/registrations-are-not-users.md).

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse};

use crate::secret::{Token, TokenHash};
use crate::web::Shared;
use crate::web::http::cookies;

/// Hash of what this browser was given, if it began a registration.
pub fn shown(request: &HttpRequest, shared: &Shared) -> Option<TokenHash> {
    Token::hash_of(&cookies::value(request.headers(), &shared.cookie.registration)?)
}

/// The browser keeps `token` for as long as the link of its registration works.
pub fn keep(mut answer: HttpResponse, shared: &Shared, token: &Token) -> HttpResponse {
    let lasts = Duration::seconds(shared.verify_for.as_secs().into());
    let _ = answer.add_cookie(&registration_cookie(shared, token.reveal().to_owned(), lasts));
    answer
}

/// The registration is finished or discarded.
pub fn forget(mut answer: HttpResponse, shared: &Shared) -> HttpResponse {
    let mut cookie = registration_cookie(shared, String::new(), Duration::ZERO);
    cookie.make_removal();
    let _ = answer.add_cookie(&cookie);
    answer
}

fn registration_cookie(shared: &Shared, value: String, lasts: Duration) -> Cookie<'static> {
    Cookie::build(shared.cookie.registration.clone(), value)
        .path("/")
        .http_only(true)
        .secure(shared.public.is_secure())
        .same_site(SameSite::Lax)
        .max_age(lasts)
        .finish()
}
