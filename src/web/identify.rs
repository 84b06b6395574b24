//! Who is visiting: taken once from the session that was loaded, for guards and pages to judge by.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest};

use super::current_session;
use crate::accounts::{LiveUser, User};
use crate::sessions::{Handle, request};

/// The live session of this request, if it has one.
#[derive(Clone, Default)]
pub struct Visit(pub Option<LiveUser>);

impl Visit {
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    pub fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|live| live.record.handle)
    }
}

pub async fn identify<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    current_session::refresh(&request);
    request.extensions_mut().insert(Visit(request::loaded::<User>()));
    next.call(request).await
}
