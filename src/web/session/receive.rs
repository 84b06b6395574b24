//! How every POST is received: the guard decides, the body arrives, the session is looked up again, the guard decides
//! again, and only then the handler runs. If a client holds back the last byte of a form, the rights at its arrival
//! decide (ASVS 5.0 8.3.2).
//!
//! A form that cannot be executed because the confirmation expired or its page is out of date is shown again with its
//! values (docs/decisions/csrf.md).

use std::rc::Rc;

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::StatusCode;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder};
use futures_util::future::LocalBoxFuture;

use super::arguments::EndsInForm;
use super::carried_form::{CarriedForm, ConfirmHandler, ConfirmStep};
use super::guard::{Guard, GuardKind};
use super::with_session::look_up;
use crate::web::http::body::{self, Media};
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::PostedForm;
use crate::web::http::methods::{RouteService, call};
use crate::web::http::refusal::RefusalReason;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;
use crate::web::http::{json, origin_check, return_to};

/// Shows the page of a form with the typed values, and does nothing else.
pub type Redraw = Rc<dyn Fn(HttpRequest) -> LocalBoxFuture<'static, HttpResponse>>;

/// How a form row shows its form again, and the confirmation page.
#[derive(Clone)]
pub struct FormPages {
    /// `None` if the row cannot show its form again.
    pub redraw: Option<Redraw>,
    pub confirm: ConfirmHandler,
}

/// `handler`, which shows a page, with its arguments extracted from the request.
pub fn redraw<H, Args>(handler: H) -> Redraw
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    Rc::new(move |request: HttpRequest| -> LocalBoxFuture<'static, HttpResponse> {
        let handler = handler.clone();
        Box::pin(async move { call(&handler, &request, &mut Payload::None).await })
    })
}

/// `handler` as a service behind the guard `G`, inside
/// [`form_session::with_form_session`](super::form_session::with_form_session).
pub fn receive<G, H, Args>(handler: H, pages: FormPages) -> impl RouteService
where
    G: Guard,
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + EndsInForm + 'static,
{
    fn_service(move |request: ServiceRequest| {
        let (handler, pages) = (handler.clone(), pages.clone());
        async move {
            let (request, payload) = request.into_parts();
            let answer = match admit::<G, Args>(&request, payload).await {
                Ok(args) => handler.call(args).await.respond_to(&request).map_into_boxed_body(),
                Err(refused) => refusal_answer::<G, Args>(&request, refused, pages)
                    .await
                    .unwrap_or_else(HttpResponse::from_error),
            };
            Ok::<_, actix_web::Error>(ServiceResponse::new(request, answer))
        }
    })
}

/// The arguments, once the body is complete and the guard still admits the user.
async fn admit<G: Guard, Args: FromRequest + EndsInForm>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Args, actix_web::Error> {
    match G::from_request(request, &mut Payload::None).await {
        // The body is read first, because its values may be shown again.
        Err(Error::Confirm { .. }) if Args::MEDIA == Media::Form => {}
        decided => {
            decided?;
        }
    }
    // A script sends its token in a header, so no body is read without one.
    if Args::MEDIA == Media::Json {
        json::check_token(request)?;
    }
    let body = body::read(request.headers(), payload, Args::MEDIA).await?;
    let (state, shared) = (RequestState::of(request), Shared::of(request).map_err(Error::from)?);
    state.body.get_or_init(|| body);
    look_up(&state, shared).await?;
    Args::from_request(request, &mut Payload::None).await.map_err(Into::into)
}

/// The answer to a user whose form is not executed. The request layer answers scripts.
async fn refusal_answer<G: Guard, Args: EndsInForm>(
    request: &HttpRequest,
    refused: actix_web::Error,
    pages: FormPages,
) -> Result<HttpResponse, actix_web::Error> {
    let shared = Shared::of(request).map_err(Error::from)?;
    if Args::MEDIA == Media::Json {
        if G::KIND == GuardKind::Pending && matches!(refused.as_error(), Some(Error::LogIn { .. })) {
            flash::set(request, shared, Flash::LogInExpired);
        }
        return Err(refused);
    }
    match refused.as_error::<Error>() {
        Some(Error::Confirm { next }) => {
            let next = next.clone();
            interrupted::<Args>(request, shared, next, pages).await.map_err(Into::into)
        }
        Some(Error::ShowAgain { back }) => {
            let typed = Args::typed(&PostedForm::of(request)?)?;
            let shown = show_again(request, typed, Flash::ConfirmedNotSent, pages.redraw).await;
            Ok(shown.unwrap_or_else(|| go_back(request, shared, back.as_deref())))
        }
        Some(Error::LoggedInSince { next }) => {
            let next = next.as_deref().unwrap_or("/home");
            Ok(flash::redirect(request, shared, next, Flash::LoggedInAlready))
        }
        // The values are shown again only if the browser vouches that a page of this site sent them.
        Some(Error::ForeignForm) if origin_check::is_vouched(request.headers(), shared.public.as_str()) => {
            let Ok(typed) = PostedForm::of(request).and_then(|posted| Args::typed(&posted)) else {
                return Err(refused);
            };
            match show_again(request, typed, Flash::OutOfDate, pages.redraw).await {
                Some(mut page) if page.status() == StatusCode::OK => {
                    *page.status_mut() = StatusCode::FORBIDDEN;
                    Ok(in_place_of(request, RefusalReason::ForeignForm, page))
                }
                _ => Err(refused),
            }
        }
        Some(Error::LogIn { .. }) if G::KIND != GuardKind::Pending => {
            flash::set(request, shared, Flash::NotSent);
            Err(refused)
        }
        _ => Err(refused),
    }
}

/// The confirmation expired while the form was open: the user confirms, and then sees the form with its values. The
/// confirmation page carries it and it is stored nowhere else: if it were kept in the session, a thief could leave a
/// form for the owner to confirm. For the same reason it is shown again, not executed.
async fn interrupted<Args: EndsInForm>(
    request: &HttpRequest,
    shared: &Shared,
    next: Option<String>,
    pages: FormPages,
) -> Result<HttpResponse, Error> {
    let posted = PostedForm::of(request)?;
    if posted.check_token(request).is_err() {
        return Err(Error::Confirm { next });
    }
    let typed = Args::typed(&posted)?;
    let back = match &posted.carried_back_to {
        Some(back) => return_to::safe(back).map(str::to_owned),
        None => next,
    };
    let Some(redraw) = pages.redraw.filter(|_| typed.iter().any(|(_, value)| !value.is_empty())) else {
        flash::set(request, shared, Flash::ConfirmThenAgain);
        return Err(Error::Confirm { next: back });
    };
    let carried =
        CarriedForm { action: request.path().to_owned(), back: back.clone(), fields: typed.clone() };
    match (pages.confirm)(request.clone(), posted, carried).await? {
        ConfirmStep::Answer(page) => Ok(in_place_of(request, RefusalReason::Confirm, page)),
        ConfirmStep::Lost => Ok(go_back(request, shared, back.as_deref())),
        ConfirmStep::Confirmed => {
            let shown = show_again(request, typed, Flash::ConfirmedNotSent, Some(redraw)).await;
            Ok(shown.unwrap_or_else(|| go_back(request, shared, back.as_deref())))
        }
    }
}

/// `page` as the answer to a refused request, counted as a refusal.
fn in_place_of(request: &HttpRequest, reason: RefusalReason, page: HttpResponse) -> HttpResponse {
    RequestState::of(request).refusal.set(Some(reason));
    page
}

fn go_back(request: &HttpRequest, shared: &Shared, back: Option<&str>) -> HttpResponse {
    flash::redirect(request, shared, back.unwrap_or("/home"), Flash::SessionLost)
}

/// The page of the form with its values and the reason why it is shown again; `None` if the row cannot show it.
async fn show_again(
    request: &HttpRequest,
    typed: Vec<(String, String)>,
    why: Flash,
    redraw: Option<Redraw>,
) -> Option<HttpResponse> {
    let redraw = redraw?;
    flash::show_now(request, why);
    RequestState::of(request).draft.replace(Some(typed));
    Some(redraw(request.clone()).await)
}
