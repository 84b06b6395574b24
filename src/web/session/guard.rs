//! Guards: the type of a handler's first argument decides who is admitted. For a POST, the guard is asked twice, before
//! and after its body arrives (`receive.rs`). Guards read the request state and query nothing, so they decide before
//! any form or path is parsed; only [`Pending`] asks the database, for the pending log-in.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::current_session;
use crate::config::SessionLimits;
use crate::identity::{LiveUser, Role};
use crate::login::PendingHash;
use crate::tokens::ApiScope;
use crate::web::http::error::Error;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;
use crate::web::http::{return_to, urlencoded};

/// A guard as data, for the table and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardKind {
    Visitor,
    SignedIn,
    Confirmed,
    Admin,
    Pending,
    /// A token with this scope, at the API.
    Scoped(ApiScope),
}

impl GuardKind {
    /// Its name in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::SignedIn => "signed-in",
            Self::Confirmed => "confirmed",
            Self::Admin => "admin",
            Self::Pending => "pending",
            Self::Scoped(_) => "token",
        }
    }
}

/// A guard of a row of the route table.
pub trait Guard: FromRequest<Error = Error> + 'static {
    const KIND: GuardKind;
}

/// Any visitor, logged in or not.
pub struct Visitor {
    pub session: Option<LiveUser>,
}

/// A user with a live session.
pub struct SignedIn {
    pub session: LiveUser,
}

/// A user who confirmed recently.
pub struct Confirmed {
    pub session: LiveUser,
}

/// An administrator who confirmed recently.
pub struct Admin {
    pub session: LiveUser,
}

/// A user whose password was accepted and whose second factor is not verified yet. There is no session: to every other
/// guard this is a visitor.
pub struct Pending {
    pub key: PendingHash,
}

/// Refuses in this order: log in, forbidden, confirm. A user is not asked to confirm for a page that their role
/// forbids.
fn admit(request: &HttpRequest, kind: GuardKind) -> Result<LiveUser, Error> {
    let live = RequestState::of(request).session().ok_or_else(|| Error::LogIn { next: way_back(request) })?;
    let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(Error::Forbidden) };
    if kind == GuardKind::Admin && live.owner.role < Role::Admin {
        return Err(Error::Forbidden);
    }
    match confirm_window(&shared.limits, kind) {
        Some(window) if !live.confirmed_within(window) => Err(Error::Confirm { next: way_back(request) }),
        _ => Ok(live),
    }
}

/// How old the confirmation may be.
fn confirm_window(limits: &SessionLimits, kind: GuardKind) -> Option<Duration> {
    match kind {
        GuardKind::Visitor | GuardKind::SignedIn | GuardKind::Pending | GuardKind::Scoped(_) => None,
        GuardKind::Confirmed => Some(limits.confirm_window.std()),
        GuardKind::Admin => Some(limits.admin_window.std()),
    }
}

/// The path of this page; for a form, that of the page it was sent from.
pub fn way_back(request: &HttpRequest) -> Option<String> {
    if request.method().is_safe() {
        let here = request.uri().path_and_query()?.as_str();
        return return_to::safe(here).filter(|path| *path != "/home").map(str::to_owned);
    }
    return_to::referring_page(request.headers(), request.app_data::<Data<Shared>>()?)
}

impl Guard for Visitor {
    const KIND: GuardKind = GuardKind::Visitor;
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { session: RequestState::of(request).session() }))
    }
}

impl Guard for Pending {
    const KIND: GuardKind = GuardKind::Pending;
}

impl FromRequest for Pending {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let refused = Error::LogIn { next: destination(&request) };
            let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(refused) };
            match current_session::pending_key(&request) {
                Some(key) if shared.accounts.login.is_pending(key).await? => Ok(Self { key }),
                _ => Err(refused),
            }
        })
    }
}

/// The path that the pending log-in should have led to, for starting again.
fn destination(request: &HttpRequest) -> Option<String> {
    return_to::safe(&urlencoded::query(request, "next")).map(str::to_owned)
}

macro_rules! guard {
    ($($name:ident),*) => {$(
        impl Guard for $name {
            const KIND: GuardKind = GuardKind::$name;
        }

        impl FromRequest for $name {
            type Error = Error;
            type Future = Ready<Result<Self, Error>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(admit(request, GuardKind::$name).map(|session| Self { session }))
            }
        }
    )*};
}

guard!(SignedIn, Confirmed, Admin);
