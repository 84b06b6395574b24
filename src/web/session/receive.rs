//! How a POST is received, in one place for every row of the table: the guard speaks, the body arrives, the session is
//! looked up again, the guard speaks again, and only then the handler runs. If a client holds back
//! the last byte of a form, what counts is what is true when that byte arrives (ASVS 5.0 8.3.2).
//!
//! A form that cannot be carried out as it came, because the confirmation ran out or its page is out of date, is given
//! back filled in (docs/decisions/csrf.md).

use std::rc::Rc;

use actix_web::dev::{Payload, ServiceFactory, ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{FromRequest, Handler, HttpMessage as _, HttpRequest, HttpResponse, Responder};
use futures_util::future::LocalBoxFuture;

use crate::db::Fault;
use crate::web::Shared;
use crate::web::http::body::{self, Media};
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Fields, Posted};
use crate::web::http::{json, origin_check, return_to};
use crate::web::pages::confirm::{self, Carried, Step};
use crate::web::routes::EndsInForm;
use crate::web::session::guard::{Guard, Kind};
use crate::web::session::with_session;

/// Shows the page of a form with what was typed in it. Does nothing else.
pub type Redraw = Rc<dyn Fn(HttpRequest) -> LocalBoxFuture<'static, HttpResponse>>;

/// What a form that was given back was filled in with: the last argument of what shows it.
pub struct Draft(pub Fields);

/// [`Draft`], on its way to the argument.
struct Typed(Vec<(String, String)>);

impl FromRequest for Draft {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let typed = request.extensions_mut().remove::<Typed>().map(|Typed(values)| values);
        std::future::ready(Ok(Self(Fields::new(typed.unwrap_or_default()))))
    }
}

/// `handler`, which shows a page, with its arguments read from the request.
pub fn redraw<H, Args>(handler: H) -> Redraw
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    Rc::new(move |request: HttpRequest| -> LocalBoxFuture<'static, HttpResponse> {
        let handler = handler.clone();
        Box::pin(async move {
            match Args::from_request(&request, &mut Payload::None).await {
                Err(denied) => HttpResponse::from_error(denied),
                Ok(args) => handler.call(args).await.respond_to(&request).map_into_boxed_body(),
            }
        })
    })
}

/// `handler` as a service behind the guard `G`.
pub fn receive<G, H, Args>(
    handler: H,
    redraw: Option<Redraw>,
) -> impl ServiceFactory<
    ServiceRequest,
    Config = (),
    Response = ServiceResponse,
    Error = actix_web::Error,
    InitError = (),
>
where
    G: Guard,
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + EndsInForm + 'static,
{
    fn_service(move |request: ServiceRequest| {
        let (handler, redraw) = (handler.clone(), redraw.clone());
        async move {
            let (request, payload) = request.into_parts();
            let answer = match admit::<G, Args>(&request, payload).await {
                Ok(args) => handler.call(args).await.respond_to(&request).map_into_boxed_body(),
                Err(denied) => denied_answer::<G, Args>(&request, denied, redraw)
                    .await
                    .unwrap_or_else(HttpResponse::from_error),
            };
            Ok::<_, actix_web::Error>(ServiceResponse::new(request, answer))
        }
    })
}

/// The arguments, once the body is complete and the guard still admits.
async fn admit<G: Guard, Args: FromRequest + EndsInForm>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Args, actix_web::Error> {
    match G::from_request(request, &mut Payload::None).await {
        // What was typed may be given back, so it is read first.
        Err(Error::Confirm { .. }) if Args::MEDIA == Media::Form => {}
        spoken => {
            spoken?;
        }
    }
    // A script shows its token in a header, so that no body is read without one.
    if Args::MEDIA == Media::Json {
        json::check_token(request)?;
    }
    let body = body::read(request, payload, Args::MEDIA).await?;
    request.extensions_mut().insert(body);
    with_session::again(request).await?;
    Args::from_request(request, &mut Payload::None).await.map_err(Into::into)
}

/// The answer to a form that is not carried out, for a person. The front answers scripts.
async fn denied_answer<G: Guard, Args: EndsInForm>(
    request: &HttpRequest,
    denied: actix_web::Error,
    redraw: Option<Redraw>,
) -> Result<HttpResponse, actix_web::Error> {
    if Args::MEDIA == Media::Json {
        return Err(denied);
    }
    let shared =
        request.app_data::<Data<Shared>>().ok_or_else(|| Error::from(Fault::bug("no shared state")))?;
    match denied.as_error::<Error>() {
        Some(Error::Confirm { next }) => {
            let next = next.clone();
            interrupted::<Args>(request, shared, next, redraw).await.map_err(Into::into)
        }
        Some(Error::Draft { back }) => {
            let back = back.clone();
            let typed = Args::typed(&Posted::of(request)?)?;
            Ok(give_back(request, typed, Flash::ConfirmedNotSent, redraw)
                .await
                .unwrap_or_else(|| go_back(shared, back.as_deref())))
        }
        Some(Error::LoggedInSince { next }) => {
            Ok(flash::redirect(next.as_deref().unwrap_or("/home"), Flash::LoggedInAlready, shared))
        }
        // What was typed is shown again only if the browser vouches that a page of ours sent it.
        Some(Error::ForeignForm) if origin_check::is_vouched(request.headers(), shared.public.as_str()) => {
            let Ok(typed) = Posted::of(request).and_then(|posted| Args::typed(&posted)) else {
                return Err(denied);
            };
            match give_back(request, typed, Flash::OutOfDate, redraw).await {
                Some(page) if page.status() == StatusCode::OK => {
                    Ok(in_place_of(denied, StatusCode::FORBIDDEN, page))
                }
                _ => Err(denied),
            }
        }
        Some(Error::LogIn { .. }) if G::KIND != Kind::Pending => {
            Ok(flash::with(HttpResponse::from_error(denied), Flash::NotSent, shared))
        }
        _ => Err(denied),
    }
}

/// The confirmation ran out while the form was open: the person confirms, and then finds the form as they left it. It
/// travels in the page that confirms and nowhere else: kept in the session, a thief could plant one for the owner to
/// confirm. For the same reason it is shown again, not carried out.
async fn interrupted<Args: EndsInForm>(
    request: &HttpRequest,
    shared: &Data<Shared>,
    next: Option<String>,
    redraw: Option<Redraw>,
) -> Result<HttpResponse, Error> {
    let posted = Posted::of(request)?;
    if posted.check_token(request).is_err() {
        return Err(Error::Confirm { next });
    }
    let typed = Args::typed(&posted)?;
    let back = match &posted.draft {
        Some(back) => return_to::safe(back).map(str::to_owned),
        None => next,
    };
    let Some(redraw) = redraw.filter(|_| typed.iter().any(|(_, value)| !value.is_empty())) else {
        let to_confirm = HttpResponse::from_error(Error::Confirm { next: back });
        return Ok(flash::with(to_confirm, Flash::ConfirmThenAgain, shared));
    };
    let carried = Carried { action: request.path().to_owned(), back: back.clone(), fields: typed.clone() };
    match confirm::step(request, posted, carried).await? {
        Step::Answer(page) => Ok(in_place_of(Error::Confirm { next: None }, page.status(), page)),
        Step::Lost => Ok(go_back(shared, back.as_deref())),
        Step::Confirmed => Ok(give_back(request, typed, Flash::ConfirmedNotSent, Some(redraw))
            .await
            .unwrap_or_else(|| go_back(shared, back.as_deref()))),
    }
}

/// `page` as the answer to `error`, which is counted as what it is.
fn in_place_of(error: impl Into<actix_web::Error>, status: StatusCode, page: HttpResponse) -> HttpResponse {
    let (page, body) = page.into_parts();
    let mut answer = HttpResponse::from_error(error).set_body(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = page.headers().clone();
    answer
}

fn go_back(shared: &Shared, back: Option<&str>) -> HttpResponse {
    flash::redirect(back.unwrap_or("/home"), Flash::SessionLost, shared)
}

/// The page of the form with what was typed, and why it is shown again; `None` where its row cannot show it.
async fn give_back(
    request: &HttpRequest,
    typed: Vec<(String, String)>,
    why: Flash,
    redraw: Option<Redraw>,
) -> Option<HttpResponse> {
    let redraw = redraw?;
    flash::tell_now(request, why);
    request.extensions_mut().insert(Typed(typed));
    Some(redraw(request.clone()).await)
}
