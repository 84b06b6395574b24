//! The server below the application: accepts connections and limits the memory that each can occupy.
//!
//! It is actix-web's `HttpServer`, built from its parts, because `HttpServer` accepts no other connection type. Ours is
//! a [`BoundedStream`]: one request at a time, a body no faster than its handler reads it, a head of at most 16 KiB. A
//! [`Front`] may answer a request before the application sees it.

mod chunks;
mod client_connection;
mod front;
mod head;
mod protocol_switch;
mod raw_stream;
mod response;
mod response_guard;
mod stream;
mod traffic;
mod upgrade;

use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{ConnectionType, HttpService, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_service::{apply_fn_factory, fn_factory, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::UPGRADE;
use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;

pub use chunks::ChunkScanner;
pub use client_connection::ClientConnection;
pub use front::{Front, PortalOnly, Routed};
pub use raw_stream::{RawStream, is_drained, poll_finish};

use response::{PIECE, ResponseBody};
use response_guard::ResponseGuard;
use stream::BoundedStream;
use upgrade::UpgradeRequest;

/// How many bytes of a response are buffered before they are sent; one more piece may be added.
const WRITE_BUFFER: usize = 2 * PIECE;

/// How long a client may keep a connection idle.
pub const IDLE_FOR: Duration = Duration::from_secs(15);

/// The limits on threads and connections.
pub struct Sizes {
    pub workers: usize,
    pub blocking_threads: usize,
    pub connections_per_worker: usize,
    /// How long a connection may be idle between two requests.
    pub idle_for: Duration,
    /// How long running requests may take after the server is told to stop.
    pub finish_within: Duration,
}

/// Serves what `front` leaves to the application until told to stop; then finishes the running requests. Each worker
/// has its own `front` and `app`. `on_stop` is called when it is told, and ends what would not finish by itself.
///
/// # Errors
/// Those of the listener.
pub fn serve<F, I, S, B, G>(
    listeners: Vec<TcpListener>,
    sizes: &Sizes,
    app: F,
    front: G,
    on_stop: impl FnOnce() + 'static,
) -> io::Result<Server>
where
    G: Fn() -> Rc<dyn Front> + Send + Clone + 'static,
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::InitError: fmt::Debug,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let mut server = Server::build()
        .workers(sizes.workers)
        .worker_max_blocking_threads(sizes.blocking_threads)
        .max_concurrent_connections(sizes.connections_per_worker)
        .shutdown_timeout(sizes.finish_within.as_secs())
        .disable_signals();
    let shutdown = server.graceful_shutdown_signal();
    let told = shutdown.clone();
    spawn(async move {
        told.notified().await;
        on_stop();
    });
    let idle_for = sizes.idle_for;
    let connections = move || {
        let shutdown = shutdown.clone();
        let front = front();
        let app = Rc::new(map_config(app(), |()| AppConfig::default()));
        // actix creates one service for requests and another one for upgrades. Both use the same application.
        let built = Rc::new(OnceCell::new());
        // The front may return a request later, so each request holds its own reference to the service.
        let app = fn_factory(move || {
            let (app, built) = (Rc::clone(&app), Rc::clone(&built));
            async move {
                if let Some(app) = built.get() {
                    return Ok::<_, S::InitError>(Rc::clone(app));
                }
                let app = Rc::new(app.new_service(()).await?);
                Ok(Rc::clone(built.get_or_init(|| app)))
            }
        });
        let for_upgrades = Rc::clone(&front);
        let upgrades =
            apply_fn_factory(app.clone(), move |(request, frames): UpgradeRequest, app: &Rc<_>| {
                upgrade::serve(frames, answer(request, Rc::clone(app), Rc::clone(&for_upgrades)))
            });
        let requests = apply_fn_factory(app, move |request: Request, app: &Rc<_>| {
            answer(request, Rc::clone(app), Rc::clone(&front))
        });
        let http = HttpService::build()
            .client_request_timeout(Duration::from_secs(5))
            .client_disconnect_timeout(Duration::from_secs(5))
            .keep_alive(idle_for)
            .h1_write_buffer_size(WRITE_BUFFER)
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .on_connect_ext(|stream: &BoundedStream, data| {
                data.insert(stream.traffic());
            })
            .finish(requests)
            .upgrade(Some(upgrades));
        apply_fn_factory(http, |stream: TcpStream, http: &_| {
            let peer = stream.peer_addr().ok();
            let stream = BoundedStream::new(stream);
            let traffic = stream.traffic();
            // On the heap, so that its memory is free when another protocol takes the connection over.
            let connection = Box::pin(Service::call(http, (stream, Protocol::Http1, peer)));
            async move {
                connection.await?;
                let next = traffic.protocol_switch.take_running();
                drop(traffic);
                if let Some(next) = next {
                    next.await;
                }
                Ok(())
            }
        })
    };
    for listener in listeners {
        server = server.listen("http", listener, connections.clone())?;
    }
    Ok(server.run())
}

/// Answers a request: the front, or `app`.
fn answer<A, B>(
    mut request: Request,
    app: Rc<A>,
    front: Rc<dyn Front>,
) -> impl Future<Output = Result<Response<ResponseBody>, Error>>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    A::Future: 'static,
    B: MessageBody + 'static,
{
    let response_guard = ResponseGuard::begin(&mut request);
    let offers_protocol = request.head().headers.contains_key(UPGRADE);
    async move {
        let mut response = respond(request, &*app, front, response_guard).await?;
        if offers_protocol && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // Otherwise actix would announce that the protocol is switched.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        Ok(response)
    }
}

async fn respond<A, B>(
    mut request: Request,
    app: &A,
    front: Rc<dyn Front>,
    response_guard: Option<ResponseGuard>,
) -> Result<Response<ResponseBody>, Error>
where
    A: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    if !front.is_portal(request.head()) {
        match front.route(request).await {
            Routed::Portal(returned) => request = returned,
            Routed::Answered(response) => {
                if let Some(response_guard) = &response_guard {
                    response_guard.wait_for_buffered_body().await;
                }
                return Ok(response.map_body(|_, body| ResponseBody::new(body, response_guard)));
            }
        }
    }
    let response: Response<B> = app.call(request).await?.into();
    if let Some(response_guard) = &response_guard {
        response_guard.wait_for_buffered_body().await;
    }
    Ok(response.map_body(|_, body| ResponseBody::new(body, response_guard)))
}
