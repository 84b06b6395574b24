//! Decides whether a request reaches its app, and opens the stream in which it is passed on.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::HeaderMap;
use latchkey_sessions::{ScopedSession, Use};
use uuid::Uuid;

use super::answers::{self, FrontRefusal};
use super::app_key::PresentedAppKey;
use super::app_request::AppRequest;
use crate::apps::{AccessRequest, Answer, Caller, HostOwner, RequestHeaders, RequestKind, decide, is_safe};
use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::{User, UserSession as _};
use crate::web::proxy::BodyLength;
use crate::web::streams::{Destination, LiveStreams, StreamFacts, StreamGate, StreamKey, ends_at};

/// The answer of the rules to a request.
pub enum Admission {
    Granted(Granted),
    Refused(HttpResponse),
    /// The app was changed while the request was decided. `None`: there is no app at this origin any more.
    AppChanged(Option<HostOwner>),
}

/// A request that may be passed on.
pub struct Granted {
    /// The session of the user whose identity the app receives.
    pub found: Option<ScopedSession<User>>,
    /// Asked before each write.
    pub gate: Rc<StreamGate>,
}

/// The session and its user, for the log line.
#[derive(Default)]
pub struct LogFields {
    pub session: Option<Uuid>,
    pub principal: Option<Uuid>,
}

impl LogFields {
    fn record(&mut self, found: Option<&ScopedSession<User>>) {
        self.session = found.map(|scoped| scoped.live.record.handle.0);
        self.principal = found.map(|scoped| scoped.live.user_id().0);
    }
}

/// The request, as a decision sees it.
pub fn access_request<'r>(app_request: &AppRequest<'r>) -> AccessRequest<'r> {
    let headers = RequestHeaders::read(header_texts(app_request.headers));
    AccessRequest::new(
        app_request.method.as_str(),
        app_request.uri.path(),
        &headers,
        BodyLength::announced(app_request.headers).has_body(),
        app_request.address,
        app_request.shared.trusted_hops,
    )
}

/// Decides, opens a stream, and looks app and session up again. A change that is announced in between is either seen by
/// the second lookup or marks the stream.
///
/// # Errors
/// Those of the database. The request must then be refused.
pub async fn admit(
    streams: &Arc<LiveStreams>,
    app_request: &AppRequest<'_>,
    asked: &AccessRequest<'_>,
    log: &mut LogFields,
) -> Result<Admission, Fault> {
    let key = app_request.key();
    let found = match &key {
        Some(key) => app_request.find(key, usage(asked)).await?,
        None => None,
    };
    log.record(found.as_ref());
    let found = match decided(app_request, asked, found) {
        Ok(found) => found,
        Err(response) => return Ok(Admission::Refused(*response)),
    };
    let gate = open(streams, app_request, asked, key.as_ref(), found.as_ref());
    let generation = gate.generation();
    let snapshot = app_request.shared.accounts.apps.snapshot().await?;
    match snapshot.owner_of(app_request.origin.host()) {
        Some(HostOwner::App { app, .. }) if Arc::ptr_eq(app, app_request.app) || app == app_request.app => {}
        owner => return Ok(Admission::AppChanged(owner.cloned())),
    }
    let found = match (&key, found) {
        (Some(key), Some(first)) => {
            let again = app_request.find(key, Use::Background).await?;
            match again {
                Some(again) if again.live.is_same_reading(&first.live) => Some(again),
                again => match decided(app_request, asked, again) {
                    Ok(again) => again,
                    Err(response) => return Ok(Admission::Refused(*response)),
                },
            }
        }
        (_, found) => found,
    };
    gate.clear(generation, ends_at(found.as_ref()));
    Ok(Admission::Granted(Granted { found, gate }))
}

fn open(
    streams: &Arc<LiveStreams>,
    app_request: &AppRequest<'_>,
    asked: &AccessRequest<'_>,
    key: Option<&PresentedAppKey>,
    found: Option<&ScopedSession<User>>,
) -> Rc<StreamGate> {
    let key = key
        .zip(found)
        .map(|(key, found)| StreamKey { raw: key.key().into(), session: found.live.record.handle });
    let to = Destination {
        app: app_request.app,
        origin: app_request.origin,
        method: app_request.method,
        uri: app_request.uri,
        request_id: app_request.id,
    };
    // The time does not matter for a visitor.
    let opened = found.map_or(Moment(0), |found| found.live.moment());
    let principal = found.map(|found| found.live.record.principal);
    StreamGate::open(streams, principal, StreamFacts::new(&to, asked, key, opened))
}

/// The session of the user whose identity the app receives, or the response to a request that is refused.
fn decided(
    app_request: &AppRequest<'_>,
    asked: &AccessRequest<'_>,
    found: Option<ScopedSession<User>>,
) -> Result<Option<ScopedSession<User>>, Box<HttpResponse>> {
    let caller = found.as_ref().map(|scoped| Caller::of(&scoped.live, scoped.proved_at));
    // The time does not matter for a visitor.
    let now = found.as_ref().map_or(Moment(0), |scoped| scoped.live.moment());
    let (answer, trace) = decide(app_request.app, asked, caller.as_ref(), now);
    if let Answer::Pass { identity, .. } = answer {
        return Ok(found.filter(|_| identity));
    }
    if let (Answer::NotAllowed(_), Some(scoped)) = (answer, &found) {
        app_request.shared.accounts.apps.record_refusal(app_request.app, &scoped.live, app_request.client);
    }
    let refusal = FrontRefusal { answer, trace, asked, caller: caller.as_ref() };
    Err(Box::new(answers::refuse(app_request, &refusal)))
}

/// Only requests that the user makes count as use, so that pages that refresh themselves do not keep a session alive.
fn usage(asked: &AccessRequest<'_>) -> Use {
    let counts = match asked.kind {
        RequestKind::Navigation | RequestKind::Form => true,
        RequestKind::Websocket | RequestKind::Preflight => false,
        // A program sends no Sec-Fetch-Site.
        RequestKind::Frame | RequestKind::Script => !is_safe(asked.method) || asked.fetch_site.is_none(),
    };
    if counts { Use::Counts } else { Use::Background }
}

/// Names and values. A value that is not text counts as an empty one.
pub fn header_texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
}
