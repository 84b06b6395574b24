//! The facts about a request that are kept, to decide again whether it is let in.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix_web::http::{Method, Uri};

use super::credential::{Credential, CredentialId, LiveCredential};
use crate::apps::{AccessRequest, App, AppOrigin, RequestKind};
use crate::db::time::Moment;

/// The request of a stream, and the credential that it carried.
pub struct StreamFacts {
    pub app: Arc<App>,
    pub origin: AppOrigin,
    /// `None`: the app has received no identity.
    pub key: Option<StreamKey>,
    /// The id of the request in the log.
    pub request_id: Box<str>,
    /// When it was let in. The proof of identity had to be fresh then; it may grow old while the stream lasts.
    pub opened: Moment,
    /// The same moment on this machine's clock.
    pub begun: Instant,
    method: Method,
    uri: Uri,
    kind: RequestKind,
    client: Option<IpAddr>,
    client_is_doubtful: bool,
    origin_header: Option<Box<str>>,
    fetch_site: Option<Box<str>>,
    /// The response is an event stream.
    has_events: AtomicBool,
    /// A task decides the stream again, or will do so soon.
    is_rechecked: AtomicBool,
}

/// The credential of a request, and the session or token that it belongs to.
pub struct StreamKey {
    pub credential: Credential,
    pub id: CredentialId,
}

/// Where a request goes.
pub struct Destination<'r> {
    pub app: &'r Arc<App>,
    pub origin: &'r AppOrigin,
    pub method: &'r Method,
    pub uri: &'r Uri,
    pub request_id: &'r str,
}

impl StreamFacts {
    pub fn new(
        to: &Destination<'_>,
        asked: &AccessRequest<'_>,
        key: Option<StreamKey>,
        opened: Moment,
    ) -> Self {
        Self {
            app: Arc::clone(to.app),
            origin: to.origin.clone(),
            key,
            request_id: to.request_id.into(),
            opened,
            begun: Instant::now(),
            method: to.method.clone(),
            uri: to.uri.clone(),
            kind: asked.kind,
            client: asked.client,
            client_is_doubtful: asked.client_is_doubtful,
            origin_header: asked.origin.map(Box::from),
            fetch_site: asked.fetch_site.map(Box::from),
            has_events: AtomicBool::new(false),
            is_rechecked: AtomicBool::new(false),
        }
    }

    /// The request, as a decision sees it.
    pub fn asked(&self) -> AccessRequest<'_> {
        AccessRequest {
            method: self.method.as_str(),
            path: self.uri.path(),
            kind: self.kind,
            client: self.client,
            client_is_doubtful: self.client_is_doubtful,
            origin: self.origin_header.as_deref(),
            fetch_site: self.fetch_site.as_deref(),
        }
    }

    /// Whether it lasts until one side ends it, so that a stopping instance must end it.
    pub fn is_endless(&self) -> bool {
        self.kind == RequestKind::Websocket || self.has_events.load(Ordering::SeqCst)
    }

    pub(super) fn note_events(&self) {
        self.has_events.store(true, Ordering::SeqCst);
    }

    /// `false` if a task does it already. So a user who changes often has no more tasks than streams.
    pub(super) fn begin_recheck(&self) -> bool {
        !self.is_rechecked.swap(true, Ordering::SeqCst)
    }

    pub(super) fn end_recheck(&self) {
        self.is_rechecked.store(false, Ordering::SeqCst);
    }
}

/// When a stream has to be decided again because of the time; never for a visitor.
pub fn ends_at(found: Option<&LiveCredential>) -> Moment {
    found.map_or(Moment(i64::MAX), LiveCredential::ends_at)
}
