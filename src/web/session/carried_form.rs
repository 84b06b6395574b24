//! A form that was sent after the confirmation had expired: the confirmation page carries it, and afterwards it is
//! shown again with its values (docs/decisions/csrf.md). The route table supplies the confirmation page.

use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use crate::web::http::error::Error;
use crate::web::http::form::PostedForm;

/// A form that the confirmation page carries.
pub struct CarriedForm {
    /// The path it is sent to.
    pub action: String,
    /// The page that contains it.
    pub back: Option<String>,
    pub fields: Vec<(String, String)>,
}

/// The result of a confirmation.
pub enum ConfirmStep {
    /// The confirmation page, with the form inside.
    Answer(HttpResponse),
    Confirmed,
    /// The session ended, or another request rotated its key.
    Lost,
}

/// Shows the confirmation page. The posted form is the original one or, once the user has seen the page, the page with
/// the form inside.
pub type ConfirmHandler =
    fn(HttpRequest, PostedForm, CarriedForm) -> LocalBoxFuture<'static, Result<ConfirmStep, Error>>;
