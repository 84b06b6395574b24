//! Guards: the type of a handler's first argument says who gets in. Of a POST they are asked twice, before and after its
//! body (`receive.rs`). They judge what was loaded and fetch nothing, but for log-ins that wait for a factor, so they are ready before any form or path is looked at.

use std::ops::Deref;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Future, Ready, ready};
use std::pin::Pin;

use super::error::Error;
use super::{Shared, ctx, current_session, next, visit};
use crate::config::SessionLimits;
use crate::identity::{LiveUser, Role};
use crate::login::PendingHash;

/// A guard as data, for the table and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Visitor,
    SignedIn,
    Confirmed,
    Admin,
    Pending,
}

/// What a row of the route table can be guarded by.
pub trait Guard: FromRequest<Error = Error> + 'static {
    const KIND: Kind;
}

/// Anybody.
pub struct Visitor(pub Option<LiveUser>);

/// Somebody with a live session.
pub struct SignedIn(pub LiveUser);

/// Somebody who proved themselves a short while ago.
pub struct Confirmed(pub LiveUser);

/// An administrator who proved themselves a short while ago.
pub struct Admin(pub LiveUser);

/// Somebody whose password was right and whose second factor is still to be proven. No session: every other guard
/// sees a stranger.
pub struct Pending(pub PendingHash);

/// Denials in this order: log in, forbidden, confirm. Nobody is asked to confirm for what they may not have.
fn admit(request: &HttpRequest, kind: Kind) -> Result<LiveUser, Error> {
    let live = visit::live().ok_or_else(|| Error::LogIn { next: way_back(request) })?;
    let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(Error::Forbidden) };
    if kind == Kind::Admin && live.owner.role < Role::Admin {
        return Err(Error::Forbidden);
    }
    match window(&shared.limits, kind) {
        Some(window) if !live.confirmed_within(window) => Err(Error::Confirm { next: way_back(request) }),
        _ => Ok(live),
    }
}

fn window(limits: &SessionLimits, kind: Kind) -> Option<Duration> {
    match kind {
        Kind::Visitor | Kind::SignedIn | Kind::Pending => None,
        Kind::Confirmed => Some(limits.confirm_window.std()),
        Kind::Admin => Some(limits.admin_window.std()),
    }
}

/// This page, or for a form the page it was sent from.
fn way_back(request: &HttpRequest) -> Option<String> {
    if request.method().is_safe() {
        let here = request.uri().path_and_query()?.as_str();
        return next::safe(here).filter(|path| *path != "/home").map(str::to_owned);
    }
    came_from(request.headers(), request.app_data::<Data<Shared>>()?)
}

/// The page of ours that a form was sent from.
pub fn came_from(headers: &HeaderMap, shared: &Shared) -> Option<String> {
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    next::safe(referer.strip_prefix(shared.public.as_str())?).map(str::to_owned)
}

impl Guard for Visitor {
    const KIND: Kind = Kind::Visitor;
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(visit::live())))
    }
}

impl Guard for Pending {
    const KIND: Kind = Kind::Pending;
}

impl FromRequest for Pending {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let denied = Error::LogIn { next: onwards(&request) };
            let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(denied) };
            match current_session::pending_key(&request, shared) {
                Some(key) if shared.accounts.login.is_pending(key).await? => Ok(Self(key)),
                _ => Err(denied),
            }
        })
    }
}

/// Where a log-in was to lead: it begins anew.
fn onwards(request: &HttpRequest) -> Option<String> {
    next::safe(&ctx::query(request, "next")).map(str::to_owned)
}

macro_rules! guard {
    ($($name:ident),*) => {$(
        impl Guard for $name {
            const KIND: Kind = Kind::$name;
        }

        impl FromRequest for $name {
            type Error = Error;
            type Future = Ready<Result<Self, Error>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(admit(request, Kind::$name).map(Self))
            }
        }

        impl Deref for $name {
            type Target = LiveUser;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )*};
}

guard!(SignedIn, Confirmed, Admin);
