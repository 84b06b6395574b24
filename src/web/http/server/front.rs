//! The hook before the application: a request for the host of an app is answered without the portal's layers.

use std::rc::Rc;

use actix_http::{Request, RequestHead, Response};
use actix_web::body::BoxBody;
use futures_util::future::LocalBoxFuture;

/// Decides for each request of a worker whether the portal's application answers it.
pub trait Front: 'static {
    /// Whether this request is certainly for the portal. Must be cheap: every request of the portal pays for it.
    fn is_portal(&self, head: &RequestHead) -> bool;

    /// Answers the request, or returns it if it is for the portal after all.
    fn route(self: Rc<Self>, request: Request) -> LocalBoxFuture<'static, Routed>;
}

pub enum Routed {
    Portal(Request),
    Answered(Response<BoxBody>),
}

/// Sends every request to the portal.
pub struct PortalOnly;

impl Front for PortalOnly {
    fn is_portal(&self, _: &RequestHead) -> bool {
        true
    }

    fn route(self: Rc<Self>, request: Request) -> LocalBoxFuture<'static, Routed> {
        Box::pin(async { Routed::Portal(request) })
    }
}
