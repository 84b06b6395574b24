//! A form that was sent when a confirmation was needed: it travels inside the page that confirms, and is then shown again,
//! filled in (docs/decisions/csrf.md). That page is given by the route table.

use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use crate::web::http::error::Error;
use crate::web::http::form::PostedForm;

/// A form on its way through the page that confirms.
pub struct CarriedForm {
    /// Where it is sent to.
    pub action: String,
    /// The page it stands on.
    pub back: Option<String>,
    pub fields: Vec<(String, String)>,
}

/// What became of it.
pub enum ConfirmStep {
    /// The page that confirms, with the form inside.
    Answer(HttpResponse),
    Confirmed,
    /// The session ended, or another request rotated its key.
    Lost,
}

/// The page that confirms. What was posted is the form itself or, once the user has seen the page, the page with the form
/// inside.
pub type ConfirmHandler =
    fn(HttpRequest, PostedForm, CarriedForm) -> LocalBoxFuture<'static, Result<ConfirmStep, Error>>;
