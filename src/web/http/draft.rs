//! A form that is shown again with the values that were typed into it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::error::Error;
use super::form::Fields;
use super::request_state::RequestState;

/// The typed values: the last argument of the handler that shows the page again.
pub struct Draft(pub Fields);

impl FromRequest for Draft {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let typed = RequestState::of(request).draft.take();
        ready(Ok(Self(Fields::new(typed.unwrap_or_default()))))
    }
}
