//! Creates the rows of the API: `UsersRead::get(path, title, handler)`. A row whose scope is another than that of its
//! handler's first argument does not compile. The token is looked up before the body arrives and again after it, so
//! that rights that are lost meanwhile do not count (ASVS 5.0 8.3.2).

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse, fn_service};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, web};

use super::admission::identify;
use super::operation::{ApiOperation, DescribedAnswer, DescribedArgs, DescribedOperation, RETRY_AFTER};
use super::query;
use super::scoped::{Public, ScopeType, Scoped};
use crate::tokens::ApiScope;
use crate::web::http::body::{self, Media};
use crate::web::http::error::Error;
use crate::web::http::methods::RouteService;
use crate::web::http::request_state::{Face, MatchedRoute, RequestState};
use crate::web::http::shared::Shared;
use crate::web::route::{Method, Route};
use crate::web::session::arguments::StartsWithGuard;
use crate::web::session::guard::GuardKind;
use latchkey_sessions::Use;

/// Who may use a row.
pub trait ApiRows: Sized + 'static {
    /// The first argument of the handlers.
    type Guard: FromRequest<Error = Error> + 'static;
    /// `None`: no token is needed.
    const SCOPE: Option<ApiScope>;

    fn get<H, Args, A>(path: &'static str, title: &'static str, handler: H) -> Route
    where
        H: Handler<Args, Output = Result<A, Error>>,
        A: Responder + DescribedAnswer + 'static,
        Args: FromRequest + StartsWithGuard<Self::Guard> + DescribedArgs + 'static,
    {
        row::<Self, H, Args, A>(Method::Get, path, title, handler)
    }

    fn post<H, Args, A>(path: &'static str, title: &'static str, handler: H) -> Route
    where
        H: Handler<Args, Output = Result<A, Error>>,
        A: Responder + DescribedAnswer + 'static,
        Args: FromRequest + StartsWithGuard<Self::Guard> + DescribedArgs + 'static,
    {
        row::<Self, H, Args, A>(Method::Post, path, title, handler)
    }

    fn put<H, Args, A>(path: &'static str, title: &'static str, handler: H) -> Route
    where
        H: Handler<Args, Output = Result<A, Error>>,
        A: Responder + DescribedAnswer + 'static,
        Args: FromRequest + StartsWithGuard<Self::Guard> + DescribedArgs + 'static,
    {
        row::<Self, H, Args, A>(Method::Put, path, title, handler)
    }

    fn patch<H, Args, A>(path: &'static str, title: &'static str, handler: H) -> Route
    where
        H: Handler<Args, Output = Result<A, Error>>,
        A: Responder + DescribedAnswer + 'static,
        Args: FromRequest + StartsWithGuard<Self::Guard> + DescribedArgs + 'static,
    {
        row::<Self, H, Args, A>(Method::Patch, path, title, handler)
    }

    fn delete<H, Args, A>(path: &'static str, title: &'static str, handler: H) -> Route
    where
        H: Handler<Args, Output = Result<A, Error>>,
        A: Responder + DescribedAnswer + 'static,
        Args: FromRequest + StartsWithGuard<Self::Guard> + DescribedArgs + 'static,
    {
        row::<Self, H, Args, A>(Method::Delete, path, title, handler)
    }
}

impl<S: ScopeType> ApiRows for S {
    type Guard = Scoped<S>;
    const SCOPE: Option<ApiScope> = Some(S::SCOPE);
}

impl ApiRows for Public {
    type Guard = Self;
    const SCOPE: Option<ApiScope> = None;
}

fn row<R, H, Args, A>(method: Method, path: &'static str, title: &'static str, handler: H) -> Route
where
    R: ApiRows,
    H: Handler<Args, Output = Result<A, Error>>,
    A: Responder + DescribedAnswer + 'static,
    Args: FromRequest + DescribedArgs + 'static,
{
    let route = MatchedRoute { path, face: Face::Api };
    Route {
        guard: R::SCOPE.map_or(GuardKind::Visitor, GuardKind::Scoped),
        method,
        path,
        face: Face::Api,
        texts: Vec::new(),
        is_shown_again: false,
        operation: Some(ApiOperation { title, scope: R::SCOPE, describe: describe::<Args, A> }),
        handler: Box::new(move |_: &Shared| {
            web::route().service(receive::<R, H, Args, A>(route, handler.clone()))
        }),
    }
}

fn describe<Args: DescribedArgs, A: DescribedAnswer>(operation: &mut DescribedOperation) {
    Args::describe(operation);
    A::describe(operation);
    match (Args::HAS_QUERY, Args::HAS_BODY) {
        (true, _) => {}
        (false, true) => operation.refuses(400, "The body is not JSON, or the query has a parameter."),
        (false, false) => operation.refuses(400, "The query has a parameter."),
    }
    operation.refuses(500, "An error in Latchkey. The log has the request under `instance`.");
    operation.refuses(
        503,
        "The database does not answer, or the server is busy. Wait as long as `Retry-After` says.",
    );
    operation.answer_header(503, "Retry-After", RETRY_AFTER);
}

/// `handler` as a service.
fn receive<R, H, Args, A>(route: MatchedRoute, handler: H) -> impl RouteService
where
    R: ApiRows,
    H: Handler<Args, Output = Result<A, Error>>,
    A: Responder + 'static,
    Args: FromRequest + DescribedArgs + 'static,
{
    fn_service(move |request: ServiceRequest| {
        let handler = handler.clone();
        async move {
            let (request, payload) = request.into_parts();
            RequestState::of(&request).route.set(Some(route));
            let answer = match admit::<R, Args>(&request, payload).await {
                Ok(args) => {
                    RequestState::of(&request).has_begun.set(true);
                    handler.call(args).await.respond_to(&request).map_into_boxed_body()
                }
                Err(refused) => HttpResponse::from_error(refused),
            };
            Ok::<_, actix_web::Error>(ServiceResponse::new(request, answer))
        }
    })
}

async fn admit<R: ApiRows, Args: FromRequest + DescribedArgs>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Args, actix_web::Error> {
    if R::SCOPE.is_some() {
        identify(request, Use::Counts).await?;
    }
    R::Guard::from_request(request, &mut Payload::None).await?;
    // A parameter that is ignored could be one that the program relies on, such as a dry run.
    if !Args::HAS_QUERY {
        query::refuse_any(request).map_err(Error::from)?;
    }
    if Args::HAS_BODY {
        let body = body::read(request.headers(), payload, Media::Json).await?;
        RequestState::of(request).body.get_or_init(|| body);
        identify(request, Use::Background).await?;
    }
    Args::from_request(request, &mut Payload::None).await.map_err(Into::into)
}
