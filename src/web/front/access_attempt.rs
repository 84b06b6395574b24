//! A request to the origin of an app, with everything that the decision needs.

use actix_web::http::header::HeaderMap;
use latchkey_sessions::Use;

use super::app_request::AppRequest;
use crate::apps::{AccessRequest, RequestHeaders, RequestKind, is_safe};
use crate::web::proxy::BodyLength;
use crate::web::streams::Credential;

/// A request as a decision sees it, and the credential that it carries.
pub struct AccessAttempt<'r> {
    pub request: AccessRequest<'r>,
    pub credential: Option<Credential>,
}

impl<'r> AccessAttempt<'r> {
    pub fn of(app_request: &AppRequest<'r>) -> Self {
        let headers = RequestHeaders::read(header_texts(app_request.headers));
        let mut request = AccessRequest::new(
            app_request.method.as_str(),
            app_request.uri.path(),
            &headers,
            BodyLength::announced(app_request.headers).has_body(),
            app_request.address,
            app_request.hops,
        );
        let credential = app_request.credential();
        // A program with a token cannot log in on a page, even if it accepts HTML.
        if matches!(credential, Some(Credential::Token(_)))
            && request.fetch_site.is_none()
            && matches!(request.kind, RequestKind::Navigation | RequestKind::Form)
        {
            request.kind = RequestKind::Script;
        }
        Self { request, credential }
    }

    pub fn sent_token(&self) -> bool {
        matches!(self.credential, Some(Credential::Token(_)))
    }

    /// Only requests that the user makes count as use, so that pages that refresh themselves do not keep a session
    /// alive. Every request with a token counts: its use does not extend the token's life, and is shown to its owner.
    pub fn usage(&self) -> Use {
        let counts = match self.request.kind {
            _ if self.sent_token() => true,
            RequestKind::Navigation | RequestKind::Form => true,
            RequestKind::Websocket | RequestKind::Preflight => false,
            // A program sends no Sec-Fetch-Site.
            RequestKind::Frame | RequestKind::Script => {
                !is_safe(self.request.method) || self.request.fetch_site.is_none()
            }
        };
        if counts { Use::Counts } else { Use::Background }
    }
}

/// Names and values of the headers that a decision reads. A value that is not text counts as an empty one.
pub fn header_texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let read = headers.iter().filter(|(name, _)| RequestHeaders::reads(name.as_str()));
    read.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
}
