//! Answers the requests of the decision listener by their path.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_http::{HttpMessage as _, Request, RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::web::Data;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tracing::Instrument as _;

use super::decide::{DecisionPath, decide};
use super::flavour::Flavour;
use super::listener::{DecisionListener, DecisionLog};
use super::listener_path::ListenerPath;
use super::refusal::refusal;
use crate::apps::{HostOwner, RequestKind};
use crate::web::copy::front::FrontCode;
use crate::web::front::app_request::{AppRequest, client_of};
use crate::web::front::door::{kind_of, whole};
use crate::web::front::{answers, echo_behind_guard, host, page, reserved};
use crate::web::http::request_layer::{log_fault, new_request_id};
use crate::web::http::server::{ClientConnection, Front, Routed};
use crate::web::http::shared::Shared;
use crate::web::http::{client_address, traceparent};

/// The decision listener of one worker.
pub struct DecisionDoor(DecisionListener);

impl DecisionDoor {
    pub fn new(shared: Data<Shared>, hops: usize) -> Self {
        Self(DecisionListener { shared, hops })
    }

    async fn answer(&self, request: Request) -> Response<BoxBody> {
        let begun = Instant::now();
        let id = new_request_id();
        let trace = traceparent::named(request.headers()).map(tracing::field::display);
        let span = tracing::info_span!("request", id, trace);
        async move {
            let mut log = DecisionLog { method: request.method().clone(), ..DecisionLog::default() };
            let answering = self.by_path(request, &id, &mut log);
            // A panic ends this response, not the process (ASVS 5.0 16.5.4).
            let response = AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(why = "the decision listener panicked", "fault");
                whole(answers::try_later(RequestKind::Script, &id))
            });
            let app = log.app.as_ref().map_or("-", HostOwner::slug);
            log.fields.write(&log.method, app, log.proxy.map(Flavour::as_str), response.status(), begun);
            response
        }
        .instrument(span)
        .await
    }

    async fn by_path(&self, mut request: Request, id: &str, log: &mut DecisionLog) -> Response<BoxBody> {
        let uri = request.uri().clone();
        match ListenerPath::of(uri.path()) {
            Some(ListenerPath::Decide { flavour, slug, rest }) => {
                let begins = uri.path().len() - rest.len();
                let sent = uri.path_and_query().map_or("", |sent| sent.as_str());
                let path = DecisionPath {
                    flavour,
                    slug,
                    rest: sent.get(begins..).unwrap_or_default(),
                    has_query: uri.query().is_some() && flavour != Flavour::Envoy,
                };
                log.proxy = Some(flavour);
                let mut response = decide(&self.0, &mut request, path, id, log).await;
                // nginx would add the challenges of the decision to those of the refusal that it fetches.
                if flavour == Flavour::Nginx {
                    response.headers_mut().remove(header::WWW_AUTHENTICATE);
                }
                response
            }
            Some(ListenerPath::Refusal(refused)) => {
                log.proxy = Some(Flavour::Nginx);
                refusal(&self.0, &mut request, refused, id, log).await
            }
            Some(ListenerPath::App { slug, tail }) => self.app_page(request, slug, tail, id, log).await,
            None => whole(page::problem(FrontCode::NotFound, None, None, id)),
        }
    }

    /// Answers what a browser requests below `/.latchkey/` on an origin of an app.
    async fn app_page(
        &self,
        mut request: Request,
        slug: &str,
        tail: &str,
        id: &str,
        log: &mut DecisionLog,
    ) -> Response<BoxBody> {
        let snapshot = match self.0.shared.accounts.apps.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(fault) => {
                log_fault(&fault);
                return whole(answers::try_later(kind_of(request.head()), id));
            }
        };
        let unknown = |head: &RequestHead| whole(answers::plain(FrontCode::Unknown, None, kind_of(head), id));
        let Some(app) = snapshot.by_slug(slug) else { return unknown(request.head()) };
        log.app = Some(HostOwner::App { app: Arc::clone(app), origin: 0 });
        let is_doctors = tail == "doctor" || tail == "echo" || tail.starts_with("echo/");
        let connection = is_doctors.then(|| ClientConnection::serve_app(&request, app.limits.idle)).flatten();
        let body = request.take_payload();
        let head = request.head();
        let named = host::named(head).ok().and_then(|host| app.origin_at(host));
        // The doctor's question says which origin it is for.
        let Some(origin) = named.or_else(|| app.origins.first().filter(|_| is_doctors)) else {
            return unknown(head);
        };
        let address = client_address::forwarded(&head.headers, self.0.hops);
        let client = client_of(&head.headers, address);
        let app_request = AppRequest {
            shared: &self.0.shared,
            app,
            origin,
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            client: &client,
            address,
            hops: self.0.hops,
            id,
        };
        if is_doctors {
            let answered = echo_behind_guard::answer(&app_request, tail, head, body, connection).await;
            return match answered {
                Some(answer) => answer,
                None => whole(answers::plain(FrontCode::NotFound, None, kind_of(head), id)),
            };
        }
        whole(reserved::answer(&app_request, tail, body).await.unwrap_or_else(|fault| {
            log_fault(&fault);
            answers::try_later(kind_of(head), id)
        }))
    }
}

impl Front for DecisionDoor {
    /// The portal is never served here.
    fn is_portal(&self, _: &RequestHead) -> bool {
        false
    }

    fn route(self: Rc<Self>, request: Request) -> LocalBoxFuture<'static, Routed> {
        Box::pin(async move { Routed::Answered(self.answer(request).await) })
    }
}
