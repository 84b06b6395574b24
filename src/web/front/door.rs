//! Chooses by `Host` whether the portal or an app answers a request.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_http::{HttpMessage as _, Request, RequestHead, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::web::Data;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tracing::Instrument as _;

use super::access::{Admission, Granted, admit};
use super::access_attempt::{AccessAttempt, header_texts};
use super::answers;
use super::app_request::{AppRequest, RESERVED, client_of};
use super::log_line::LogFields;
use super::user_identity::UserIdentity;
use super::{echo, host, page, reserved};
use crate::apps::{App, AppSnapshot, HostOwner, RequestHeaders, RequestKind, host_name};
use crate::db::Fault;
use crate::web::copy::front::FrontCode;
use crate::web::http::request_layer::{log_fault, new_request_id};
use crate::web::http::server::{ClientConnection, Front, Routed};
use crate::web::http::shared::Shared;
use crate::web::http::{client_address, traceparent};
use crate::web::ops::{app_question, doctor};
use crate::web::proxy::{BodyLength, ClientFacts, Transport};
use crate::web::streams::LiveStreams;

/// The front door of one worker.
pub struct FrontDoor {
    shared: Data<Shared>,
    streams: Arc<LiveStreams>,
    transport: Rc<Transport>,
}

/// Paths that probes request at the IP address of an instance, with any `Host`.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

impl FrontDoor {
    pub fn new(shared: Data<Shared>, streams: Arc<LiveStreams>, transport: Rc<Transport>) -> Self {
        Self { shared, streams, transport }
    }

    /// Whether the host is the portal's, in any spelling and on any port. No app may use the portal's host.
    fn names_portal(&self, host: &str) -> bool {
        host_name(host).eq_ignore_ascii_case(self.shared.public.host())
    }

    async fn choose(&self, request: Request) -> Routed {
        let apps = &self.shared.accounts.apps;
        let host = host::named(request.head());
        // Without a lease, each request for an unknown host would read all apps.
        let snapshot =
            if self.shared.can_proxy { apps.snapshot().await } else { apps.recent_snapshot().await };
        let found = match (&snapshot, host) {
            (Ok(snapshot), Ok(host)) => snapshot.owner_of(host).cloned(),
            _ => None,
        };
        let is_portals = match &found {
            Some(HostOwner::App { .. }) => doctor::is_question(&self.shared, request.head()),
            Some(HostOwner::Unreadable(_)) => false,
            None => match &snapshot {
                Ok(snapshot) => snapshot.is_empty(),
                // If the database does not answer, the portal says so, unless an app was at this host.
                Err(_) => host.is_ok_and(|host| apps.is_known_host(host) == Some(false)),
            },
        };
        if is_portals {
            return Routed::Portal(request);
        }
        let begun = Instant::now();
        let id = new_request_id();
        let trace = traceparent::named(request.headers()).map(tracing::field::display);
        let span = tracing::info_span!("request", id, trace);
        let method = request.method().clone();
        let owner = found.clone();
        // Boxed separately: a request that goes on to the portal never needs this memory.
        Box::pin(
            async move {
                let mut log = LogFields::default();
                let answering = self.answer(request, snapshot, found, &id, &mut log);
                // A panic ends this response, not the process (ASVS 5.0 16.5.4).
                let response = AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| {
                    tracing::error!(why = "the front door panicked", "fault");
                    whole(page::problem(FrontCode::Fault, None, None, &id))
                });
                let app = owner.as_ref().map_or("-", HostOwner::slug);
                log.write(&method, app, None, response.status(), begun);
                Routed::Answered(response)
            }
            .instrument(span),
        )
        .await
    }

    async fn answer(
        &self,
        mut request: Request,
        snapshot: Result<Arc<AppSnapshot>, Fault>,
        mut found: Option<HostOwner>,
        id: &str,
        log: &mut LogFields,
    ) -> Response<BoxBody> {
        for _ in 0..ATTEMPTS {
            let (app, origin) = match found {
                Some(HostOwner::App { app, origin }) => (app, origin),
                Some(HostOwner::Unreadable(app)) => {
                    return whole(answers::unreadable(&app, kind_of(request.head()), id));
                }
                None => return whole(self.no_app(&request, snapshot.err(), id)),
            };
            match self.serve(request, &app, origin, id, log).await {
                Served::Answered(response) => return response,
                Served::AppChanged(returned, owner) => (request, found) = (returned, owner),
            }
        }
        let fault = Fault::Unavailable("the app changes faster than the request can be decided".into());
        whole(failed(&fault, request.head(), id))
    }

    /// The answer to a request whose host belongs to no app, or that names no host.
    fn no_app(&self, request: &Request, fault: Option<Fault>, id: &str) -> HttpResponse {
        if let Some(fault) = fault {
            return failed(&fault, request.head(), id);
        }
        match host::named(request.head()) {
            Ok(host) => {
                let host: String = host.chars().take(LOGGED_HOST).collect();
                tracing::info!(host, "no app has this name");
                page::problem(FrontCode::Misdirected, None, None, id)
            }
            Err(_) => page::problem(FrontCode::BadRequest, None, None, id),
        }
    }

    /// Answers at an origin of `app`.
    ///
    /// * `origin`: its position.
    async fn serve(
        &self,
        mut request: Request,
        app: &Arc<App>,
        origin: usize,
        id: &str,
        log: &mut LogFields,
    ) -> Served {
        let Some(origin) = app.origins.get(origin) else {
            return Served::page(page::problem(FrontCode::BadRequest, None, None, id));
        };
        let address = client_address::of_head(request.head(), self.shared.trusted_hops);
        let asked = app_question::asked(&self.shared.secret, request.head(), origin);
        let connection = asked.and_then(|_| ClientConnection::serve_app(&request, app.limits.idle));
        let is_ours = asked.is_some() || request.path().starts_with(RESERVED);
        let body = is_ours.then(|| request.take_payload());
        let head = request.head();
        let client = client_of(&head.headers, address);
        let (method, uri, headers) = (&head.method, &head.uri, &head.headers);
        let app_request = AppRequest {
            shared: &self.shared,
            app,
            origin,
            method,
            uri,
            headers,
            client: &client,
            address,
            hops: self.shared.trusted_hops,
            id,
        };
        if let Some(body) = body {
            let Some(pretend) = asked else {
                let name = app_request.uri.path().strip_prefix(RESERVED).unwrap_or_default();
                let answered = reserved::answer(&app_request, name, body).await;
                return Served::page(answered.unwrap_or_else(|fault| failed(&fault, head, id)));
            };
            let transport = &self.transport;
            let asks = echo::DoctorAsks { pretend, head, body, connection, transport };
            return Served::Answered(echo::answer(&app_request, asks).await);
        }
        // Without a listener, this instance would keep passing requests on after their session has ended.
        if !self.shared.can_proxy {
            let fault =
                Fault::Unavailable("the session cache is off, so there is no invalidation listener".into());
            return Served::page(answers::unavailable(&fault, kind_of(head), id));
        }
        let attempt = AccessAttempt::of(&app_request);
        let kind = attempt.request.kind;
        let Granted { found, gate } = match admit(&self.streams, &app_request, attempt, log).await {
            Ok(Admission::Granted(granted)) => granted,
            Ok(Admission::Refused(response)) => return Served::page(response),
            Ok(Admission::AppChanged(now)) => return Served::AppChanged(request, now),
            Err(fault) => return Served::page(failed(&fault, head, id)),
        };
        let user = found.as_ref().map(UserIdentity::of);
        let identity = user.as_ref().map(UserIdentity::identity);
        let facts = ClientFacts { address, origin };
        let sent = self.transport.forward(app, request, identity.as_ref(), &facts, Some(gate)).await;
        Served::Answered(sent.unwrap_or_else(|error| whole(answers::no_response(app, kind, &error, id))))
    }
}

/// How often a request is decided again because its app changed in the meantime.
const ATTEMPTS: usize = 3;

enum Served {
    Answered(Response<BoxBody>),
    /// The app was changed before the request was passed on.
    AppChanged(Request, Option<HostOwner>),
}

impl Served {
    fn page(response: HttpResponse) -> Self {
        Self::Answered(whole(response))
    }
}

impl Front for FrontDoor {
    /// Decides by name or, for probes, by path. Neither may wait for the database: a platform restarts instances that
    /// do not answer their probes.
    fn is_portal(&self, head: &RequestHead) -> bool {
        let sent = head.headers.get(header::HOST).map(|host| host.as_bytes());
        if sent == Some(self.shared.authority.as_bytes()) && head.uri.authority().is_none() {
            return true;
        }
        let host = host::named(head);
        let is_apps = || host.is_ok_and(|host| self.shared.accounts.apps.is_known_host(host) == Some(true));
        host.is_ok_and(|host| self.names_portal(host)) || PROBES.contains(&head.uri.path()) && !is_apps()
    }

    fn route(self: Rc<Self>, request: Request) -> LocalBoxFuture<'static, Routed> {
        Box::pin(async move { self.choose(request).await })
    }
}

/// A longer host name is cut in the log.
const LOGGED_HOST: usize = 120;

pub(super) fn kind_of(head: &RequestHead) -> RequestKind {
    let headers = RequestHeaders::read(header_texts(&head.headers));
    RequestKind::of(head.method.as_str(), &headers, BodyLength::announced(&head.headers).has_body())
}

fn failed(fault: &Fault, head: &RequestHead, id: &str) -> HttpResponse {
    log_fault(fault);
    answers::unavailable(fault, kind_of(head), id)
}

pub(super) fn whole(response: HttpResponse) -> Response<BoxBody> {
    response.map_into_boxed_body().into()
}
