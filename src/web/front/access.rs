//! Decides whether a request reaches its app, and opens the stream in which it is passed on.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use latchkey_sessions::Use;

use super::access_attempt::AccessAttempt;
use super::answers::{self, FrontRefusal};
use super::app_request::AppRequest;
use super::log_line::LogFields;
use crate::apps::{Answer, HostOwner, decide};
use crate::db::time::Moment;
use crate::db::{Failed, Fault, Refusable as _};
use crate::throttle::RetryAfter;
use crate::web::streams::{
    Credential, Destination, LiveCredential, LiveStreams, StreamFacts, StreamGate, StreamKey, ends_at,
};

/// The answer of the rules to a request.
pub enum Admission {
    Granted(Granted),
    Refused(HttpResponse),
    /// The app was changed while the request was decided. `None`: there is no app at this origin any more.
    AppChanged(Option<HostOwner>),
}

/// A request that may be passed on.
pub struct Granted {
    /// The session or token of the user whose identity the app receives.
    pub found: Option<LiveCredential>,
    /// AccessAttempt before each write.
    pub gate: Rc<StreamGate>,
}

/// How the rules judge a request.
pub enum Judgement {
    /// The session or token of the user whose identity the app receives.
    Granted(Option<LiveCredential>),
    Refused(Box<HttpResponse>),
    /// The client's network has sent too many tokens that are not alive.
    TooManyTokens(RetryAfter),
}

/// Judges a request by one lookup of its credential.
///
/// # Errors
/// Those of the database. The request must then be refused.
pub async fn judge(
    app_request: &AppRequest<'_>,
    attempt: &AccessAttempt<'_>,
    log: &mut LogFields,
) -> Result<Judgement, Fault> {
    let found = match first_lookup(app_request, attempt).await.split()? {
        Ok(found) => found,
        Err(wait) => return Ok(Judgement::TooManyTokens(wait)),
    };
    log.record(found.as_ref());
    Ok(match decided(app_request, attempt, found) {
        Ok(found) => Judgement::Granted(found),
        Err(response) => Judgement::Refused(response),
    })
}

/// Decides, opens a stream, and looks app and credential up again. A change that is announced in between is either seen
/// by the second lookup or marks the stream.
///
/// # Errors
/// Those of the database. The request must then be refused.
pub async fn admit(
    streams: &Arc<LiveStreams>,
    app_request: &AppRequest<'_>,
    attempt: AccessAttempt<'_>,
    log: &mut LogFields,
) -> Result<Admission, Fault> {
    let found = match judge(app_request, &attempt, log).await? {
        Judgement::Granted(found) => found,
        Judgement::Refused(response) => return Ok(Admission::Refused(*response)),
        Judgement::TooManyTokens(wait) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Ok(Admission::Refused(answers::too_many_tokens(app_request, &attempt, wait, status)));
        }
    };
    let gate = open(streams, app_request, &attempt, found.as_ref());
    let generation = gate.generation();
    let snapshot = app_request.shared.accounts.apps.snapshot().await?;
    match snapshot.owner_of(app_request.origin.host()) {
        Some(HostOwner::App { app, .. }) if Arc::ptr_eq(app, app_request.app) || app == app_request.app => {}
        owner => return Ok(Admission::AppChanged(owner.cloned())),
    }
    let found = match (&attempt.credential, found) {
        (Some(credential), Some(first)) => match app_request.find(credential, Use::Background).await? {
            Some(again) if again.is_same_reading(&first) => Some(again),
            again => match decided(app_request, &attempt, again) {
                Ok(again) => again,
                Err(response) => return Ok(Admission::Refused(*response)),
            },
        },
        (_, found) => found,
    };
    gate.clear(generation, ends_at(found.as_ref()));
    Ok(Admission::Granted(Granted { found, gate }))
}

/// Refused if the client's network has sent too many unknown tokens.
async fn first_lookup(
    app_request: &AppRequest<'_>,
    attempt: &AccessAttempt<'_>,
) -> Result<Option<LiveCredential>, Failed<RetryAfter>> {
    let usage = attempt.usage();
    match &attempt.credential {
        None => Ok(None),
        Some(Credential::Token(text)) => {
            let tokens = &app_request.shared.accounts.tokens;
            let found = tokens.authenticate(text, app_request.client, usage).await?;
            Ok(found.filter(|live| live.opens(app_request.app.id)).map(LiveCredential::Token))
        }
        Some(key) => Ok(app_request.find(key, usage).await?),
    }
}

fn open(
    streams: &Arc<LiveStreams>,
    app_request: &AppRequest<'_>,
    attempt: &AccessAttempt<'_>,
    found: Option<&LiveCredential>,
) -> Rc<StreamGate> {
    let key = attempt.credential.as_ref().zip(found);
    let key = key.map(|(credential, found)| StreamKey { credential: credential.clone(), id: found.id() });
    let to = Destination {
        app: app_request.app,
        origin: app_request.origin,
        method: app_request.method,
        uri: app_request.uri,
        request_id: app_request.id,
    };
    // The time does not matter for a visitor.
    let opened = found.map_or(Moment(0), LiveCredential::moment);
    let principal = found.map(LiveCredential::principal);
    StreamGate::open(streams, principal, StreamFacts::new(&to, &attempt.request, key, opened))
}

/// The session or token of the user whose identity the app receives, or the response to a request that is refused.
fn decided(
    app_request: &AppRequest<'_>,
    attempt: &AccessAttempt<'_>,
    found: Option<LiveCredential>,
) -> Result<Option<LiveCredential>, Box<HttpResponse>> {
    let caller = found.as_ref().map(LiveCredential::caller);
    // The time does not matter for a visitor.
    let now = found.as_ref().map_or(Moment(0), LiveCredential::moment);
    let (answer, trace) = decide(app_request.app, &attempt.request, caller.as_ref(), now);
    if let Answer::Pass { identity, .. } = answer {
        return Ok(found.filter(|_| identity));
    }
    if let (Answer::NotAllowed(_), Some(found)) = (answer, &found) {
        let (apps, session) = (&app_request.shared.accounts.apps, found.id().session());
        let client = match found {
            LiveCredential::Session(_) => app_request.client.clone(),
            LiveCredential::Token(token) => app_request.client.clone().with_token(token.id.0, &token.name),
        };
        apps.record_refusal(app_request.app, found.user_id(), session, now, client);
    }
    let refusal = FrontRefusal { answer, trace, attempt, caller: caller.as_ref() };
    Err(Box::new(answers::refuse(app_request, &refusal)))
}
