//! The server below the application: accepts connections and limits the memory that each can occupy.
//!
//! It is actix-web's `HttpServer`, built from its parts, because `HttpServer` accepts no other connection type. Ours is
//! a [`BoundedStream`]: one request at a time, a body no faster than its handler reads it, a head of at most 16 KiB. A
//! [`Front`] may answer a request before the application sees it.

mod chunks;
mod front;
mod head;
mod response;
mod stream;
mod traffic;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _};
use actix_service::{apply_fn_factory, fn_factory, fn_service, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;

pub use front::{Front, PortalOnly, Routed};
pub use traffic::ClientConnection;

use response::{PIECE, ResponseBody};
use stream::BoundedStream;
use traffic::ResponseGuard;

/// How many bytes of a response are buffered before they are sent; one more piece may be added.
const WRITE_BUFFER: usize = 2 * PIECE;

/// The limits on threads and connections.
pub struct Sizes {
    pub workers: usize,
    pub blocking_threads: usize,
    pub connections_per_worker: usize,
    /// How long running requests may take after the server was told to stop.
    pub finish_within: Duration,
}

/// Serves what `front` leaves to the application until told to stop; then finishes the running requests. Each worker has
/// its own `front` and `app`. `on_stop` is called when it is told, and ends what would not finish by itself.
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
    let connections = move || {
        let shutdown = shutdown.clone();
        let front = front();
        let app = Rc::new(map_config(app(), |()| AppConfig::default()));
        // The front may return a request later, so each request holds its own reference to the service.
        let app = fn_factory(move || {
            let app = app.new_service(());
            async move { app.await.map(Rc::new) }
        });
        let app = apply_fn_factory(app, move |mut request: Request, app: &Rc<_>| {
            let response_guard = ResponseGuard::begin(&mut request);
            let (app, front) = (Rc::clone(app), Rc::clone(&front));
            async move {
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
                let response: Response<B> = Service::call(&*app, request).await?.into();
                if let Some(response_guard) = &response_guard {
                    response_guard.wait_for_buffered_body().await;
                }
                Ok::<_, Error>(response.map_body(|_, body| ResponseBody::new(body, response_guard)))
            }
        });
        let http = HttpService::build()
            .client_request_timeout(Duration::from_secs(5))
            .client_disconnect_timeout(Duration::from_secs(5))
            .keep_alive(Duration::from_secs(15))
            .h1_write_buffer_size(WRITE_BUFFER)
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .on_connect_ext(|stream: &BoundedStream, data| {
                data.insert(stream.traffic());
            })
            .finish(app);
        fn_service(|stream: TcpStream| async move {
            let peer = stream.peer_addr().ok();
            Ok((BoundedStream::new(stream), Protocol::Http1, peer))
        })
        .and_then(http)
    };
    for listener in listeners {
        server = server.listen("http", listener, connections.clone())?;
    }
    Ok(server.run())
}
