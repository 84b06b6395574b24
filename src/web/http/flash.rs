//! A message for the next page, in a cookie that contains only its name.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

use super::cookies;
use super::request_state::RequestState;
use super::shared::Shared;

pub use crate::web::copy::flash::Flash;

/// 303 to `path` (RFC 9110 §15.4.4).
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// 303 to `path`, where the page shows `flash`.
pub fn redirect(request: &HttpRequest, shared: &Shared, path: &str, flash: Flash) -> HttpResponse {
    set(request, shared, flash);
    see_other(path)
}

/// The next page of this browser shows `flash`.
pub fn set(request: &HttpRequest, shared: &Shared, flash: Flash) {
    let cookie = shared.cookie(&shared.cookie.flash, flash.code().to_owned()).max_age(flash.lifetime());
    RequestState::of(request).put_cookie(cookie.finish());
}

/// Shows `flash` on the page that answers this request.
pub fn show_now(request: &HttpRequest, flash: Flash) {
    RequestState::of(request).flash.set(Some(flash));
}

/// The message for the page that answers: one set during this request, or one that the previous request set, which is
/// then removed.
pub fn take(request: &HttpRequest, shared: &Shared) -> Option<Flash> {
    let state = RequestState::of(request);
    let now = state.flash.get();
    if now.is_some() {
        return now;
    }
    // `ConfirmThenAgain` is for the page after `/confirm`.
    let flash = left(request, shared)
        .filter(|flash| *flash != Flash::ConfirmThenAgain || request.path() != "/confirm")?;
    state.put_cookie(shared.removal(&shared.cookie.flash));
    Some(flash)
}

/// Whether the form has to be sent again after a confirmation.
pub fn is_interrupted(request: &HttpRequest, shared: &Shared) -> bool {
    left(request, shared) == Some(Flash::ConfirmThenAgain)
}

fn left(request: &HttpRequest, shared: &Shared) -> Option<Flash> {
    Flash::parse(&cookies::value(request.headers(), &shared.cookie.flash)?)
}
