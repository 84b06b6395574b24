//! One row of the route table: data for tests and documentation, and the handler behind it. The guard that begins the
//! row creates it, so a row that names another guard than its handler's first argument does not compile.

use actix_identity::IdentityMiddleware;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, Responder, web};

use super::api::operation::ApiOperation;
use super::http::body::Media;
use super::http::request_state::MatchedRoute;
use super::http::shared::Shared;
use super::pages::confirm;
use super::session::arguments::{EndsInDraft, EndsInForm, StartsWithGuard};
use super::session::form_session::{self, with_form_session};
use super::session::guard::{Guard, GuardKind};
use super::session::receive::{self, FormPages, Redraw};
use super::session::with_session::with_session;

pub use super::http::request_state::Face;

/// One row: data for tests and documentation, and the handler behind it.
pub struct Route {
    pub guard: GuardKind,
    pub method: Method,
    pub path: &'static str,
    pub face: Face,
    /// The fields of its form whose values are shown again.
    pub texts: Vec<&'static str>,
    /// Whether its form can be shown again with its values.
    pub is_shown_again: bool,
    /// What an operation of the API takes and answers; `None` for pages.
    pub operation: Option<ApiOperation>,
    /// Creates the handler, once per worker.
    pub(super) handler: RowHandler,
}

pub(super) type RowHandler = Box<dyn Fn(&Shared) -> actix_web::Route>;

/// The method of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Answers HEAD as well.
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Makes the rows of a guard.
pub trait RowsOfGuard: Guard + Sized {
    fn get<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + 'static,
    {
        let route = MatchedRoute { path, face: Face::Page };
        let handler = move |_: &Shared| web::route().service(with_session(Some(route), handler.clone()));
        Route {
            guard: Self::KIND,
            method: Method::Get,
            path,
            face: Face::Page,
            texts: Vec::new(),
            is_shown_again: false,
            operation: None,
            handler: Box::new(handler),
        }
    }

    fn post<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + EndsInForm + 'static,
    {
        posted::<Self, _, _>(path, handler, None)
    }

    /// `again` shows the page of the form again.
    fn form<H, Args, D, DraftArgs>(path: &'static str, handler: H, again: D) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + EndsInForm + 'static,
        D: Handler<DraftArgs>,
        D::Output: Responder + 'static,
        DraftArgs: FromRequest + StartsWithGuard<Self> + EndsInDraft + 'static,
    {
        posted::<Self, _, _>(path, handler, Some(receive::redraw(again)))
    }
}

impl<G: Guard> RowsOfGuard for G {}

fn posted<G, H, Args>(path: &'static str, handler: H, redraw: Option<Redraw>) -> Route
where
    G: Guard,
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + EndsInForm + 'static,
{
    let face = if Args::MEDIA == Media::Json { Face::Json } else { Face::Page };
    let route = MatchedRoute { path, face };
    let is_shown_again = redraw.is_some();
    let pages = FormPages {
        redraw,
        confirm: |request, posted, carried| Box::pin(confirm::step(request, posted, carried)),
    };
    // In reverse order: the last `wrap` is the outermost.
    let handler = move |shared: &Shared| {
        web::route()
            .service(receive::receive::<G, _, _>(handler.clone(), pages.clone()))
            .wrap(IdentityMiddleware::default())
            .wrap(form_session::middleware(shared))
            .wrap(from_fn(move |request, next| with_form_session(request, next, route)))
    };
    Route {
        guard: G::KIND,
        method: Method::Post,
        path,
        face,
        texts: Args::texts(),
        is_shown_again,
        operation: None,
        handler: Box::new(handler),
    }
}
