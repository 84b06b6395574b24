//! Calls handlers, and answers unsupported methods of paths outside the route table.

use actix_web::dev::{Payload, ServiceFactory, ServiceRequest, ServiceResponse, fn_service};
use actix_web::guard::{self, Any, Get, Head};
use actix_web::web::{self, Data};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder};

use super::error::Error;
use super::origin_check;
use super::request_state::{Face, MatchedRoute, RequestState};
use super::shared::Shared;

/// The value of `Allow` for a read-only path.
pub const READ_ONLY: &str = "GET, HEAD";

/// The service of one route.
pub trait RouteService:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >
{
}

impl<S> RouteService for S where
    S: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        >
{
}

/// Matches read-only requests.
pub fn is_reading() -> impl guard::Guard {
    Any(Get()).or(Head())
}

/// The response of `handler`, or of the first argument that refuses.
pub async fn call<H, Args>(handler: &H, request: &HttpRequest, payload: &mut Payload) -> HttpResponse
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    match Args::from_request(request, payload).await {
        Err(refused) => HttpResponse::from_error(refused),
        Ok(args) => handler.call(args).await.respond_to(request).map_into_boxed_body(),
    }
}

/// A read-only resource outside the route table. No session is looked up for it.
pub fn read_only<H, Args>(path: &'static str, handler: H) -> Resource
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let route = MatchedRoute { path, face: Face::Page };
    web::resource(path)
        .route(web::route().guard(is_reading()).service(outside_table(route, handler)))
        .default_service(outside_table(route, only_readable))
}

/// `handler` as the service of a path that needs no session.
pub fn outside_table<H, Args>(route: MatchedRoute, handler: H) -> impl RouteService
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    let enter = async move |request: &HttpRequest| {
        RequestState::of(request).route.set(Some(route));
        Ok(())
    };
    service(enter, handler)
}

/// `handler` as a service: `enter` runs first and may refuse, then the arguments are extracted.
pub fn service<H, Args>(
    enter: impl AsyncFn(&HttpRequest) -> Result<(), Error> + Clone + 'static,
    handler: H,
) -> impl RouteService
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    fn_service(move |request: ServiceRequest| {
        let (enter, handler) = (enter.clone(), handler.clone());
        async move {
            let (request, mut payload) = request.into_parts();
            let answer = match enter(&request).await {
                Ok(()) => call(&handler, &request, &mut payload).await,
                Err(refused) => HttpResponse::from_error(refused),
            };
            Ok(ServiceResponse::new(request, answer))
        }
    })
}

/// The response to a method that a read-only path does not support.
pub async fn only_readable(request: HttpRequest, shared: Data<Shared>) -> Result<HttpResponse, Error> {
    origin_check::check(&request, &shared)?;
    Err(Error::WrongMethod { allow: READ_ONLY.to_owned() })
}
