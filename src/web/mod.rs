//! HTTP: everything that a request passes through, and the pages. The composition root of the server.

pub mod api;
pub mod copy;
mod front;
mod http;
mod mount;
pub mod ops;
mod pages;
pub mod proxy;
pub mod route;
pub mod routes;
pub mod session;
mod streams;
#[cfg(feature = "yardstick")]
mod yardstick;

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, web};

use crate::accounts::Accounts;
use crate::config::{Settings, blocking_threads, connections_of, upstream_limits};

use front::{DecisionDoor, FrontDoor};
use http::request_counts::RequestCounts;
use http::request_layer::{FailedRequest, request_layer};
use http::request_state::Face;
use http::server::Front;
use http::{assets, error};
use ops::{doctor, health};
use pages::error_page::with_error_page;
use proxy::{Transport, TransportShared};
use session::with_session::with_session;

pub use front::AppCookieNames;
pub use http::server;
pub use http::shared::Shared;

impl Shared {
    pub fn new(accounts: Accounts, settings: &Settings) -> Self {
        let counts = RequestCounts::new(routes::counted());
        Self::with(accounts, settings, counts, api::openapi::document(&routes::api_table()))
    }
}

/// The answer to a request that failed, in the format of its row.
fn error_answer(bare: &HttpResponse, failed: &FailedRequest<'_>) -> Option<HttpResponse> {
    match failed.state.face() {
        Face::Api => Some(api::problem_document(bare, failed)),
        Face::Page | Face::Json => with_error_page(bare, failed),
    }
}

/// The application of one worker. The request layer is around all of it: request id, log, error pages, cookies,
/// headers. Each row checks the origin, looks the session up and asks its guard. actix-session and actix-identity are
/// around the rows that take forms.
pub fn app(
    shared: web::Data<Shared>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let app = App::new()
        .app_data(shared.clone())
        .wrap(from_fn(|request, next| request_layer(request, next, error_answer)))
        .configure(health::mount)
        .configure(doctor::mount);
    #[cfg(feature = "yardstick")]
    let app = app.configure(yardstick::mount);
    app.configure(|app| mount::mount(app, &shared))
        .configure(assets::mount)
        .default_service(web::route().service(with_session(None, error::not_found)))
}

/// Serves on all `listeners` until told to stop; then finishes the running requests.
pub fn serve(
    listeners: Vec<TcpListener>,
    shared: web::Data<Shared>,
    settings: &Settings,
) -> io::Result<Server> {
    let sizes = sizes(settings, server::IDLE_FOR);
    // The workers share resolved names, certificates and the count of connections.
    let upstreams = TransportShared::new(upstream_limits());
    let streams = streams::start(&shared.accounts);
    let stopping = Arc::clone(&streams);
    let lab = shared.lab.clone();
    if let Some(lab) = &lab {
        lab.observe_changes();
    }
    let portal = shared.clone();
    let door = move || -> Rc<dyn Front> {
        let transport = Transport::new(Arc::clone(&upstreams));
        Rc::new(FrontDoor::new(shared.clone(), Arc::clone(&streams), transport))
    };
    server::serve(
        listeners,
        &sizes,
        move || app(portal.clone()),
        door,
        move || {
            stopping.stop();
            if let Some(lab) = lab {
                lab.streams().stop();
            }
        },
    )
}

/// Proxies keep idle connections for one to two minutes. If this end closed them first, a proxy could send a question on
/// a connection that is about to end.
const PROXY_IDLE_FOR: Duration = Duration::from_secs(180);

/// Serves decisions to other proxies until told to stop, with the state of [`serve`].
pub fn serve_decisions(
    listener: TcpListener,
    shared: web::Data<Shared>,
    settings: &Settings,
) -> io::Result<Server> {
    let hops = settings.front.hops;
    let door = move || -> Rc<dyn Front> { Rc::new(DecisionDoor::new(shared.clone(), hops)) };
    server::serve(vec![listener], &sizes(settings, PROXY_IDLE_FOR), App::new, door, || {})
}

fn sizes(settings: &Settings, idle_for: Duration) -> server::Sizes {
    let workers = settings.server.workers;
    server::Sizes {
        workers,
        blocking_threads: blocking_threads(settings.pool.pool_size, workers),
        connections_per_worker: connections_of(workers),
        idle_for,
        finish_within: Duration::from_secs(25),
    }
}
