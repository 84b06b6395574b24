//! The log line of a request to an app, or of a decision about one.

use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use uuid::Uuid;

use crate::web::http::request_layer::id_text;
use crate::web::streams::{CredentialId, LiveCredential};

/// The facts of a log line that are found while the request is answered.
#[derive(Default)]
pub struct LogFields {
    pub session: Option<Uuid>,
    pub token: Option<Uuid>,
    pub principal: Option<Uuid>,
}

impl LogFields {
    pub fn record(&mut self, found: Option<&LiveCredential>) {
        let id = found.map(LiveCredential::id);
        self.session = id.and_then(CredentialId::session).map(|handle| handle.0);
        self.token = id.and_then(CredentialId::token).map(|id| id.0);
        self.principal = found.map(|found| found.user_id().0);
    }

    /// * `app`: its slug.
    /// * `proxy`: how the proxy asked, if this is a decision.
    pub fn write(
        &self,
        method: &Method,
        app: &str,
        proxy: Option<&'static str>,
        status: StatusCode,
        begun: Instant,
    ) {
        let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let [mut session, mut token, mut principal] = [Uuid::encode_buffer(); 3];
        let session = id_text(self.session, &mut session);
        let token = id_text(self.token, &mut token);
        let principal = id_text(self.principal, &mut principal);
        tracing::info!(
            method = method.as_str(),
            app,
            proxy,
            status = status.as_u16(),
            took_us,
            session,
            token,
            principal,
            "served"
        );
    }
}
