//! The guard of the API: a token with the scope that the type names, of a user with the role that the scope needs. It
//! reads the request state and queries nothing; `admission.rs` looked the token up.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::operation::{DescribedArg, DescribedOperation, RETRY_AFTER};
use super::problems::{insufficient_scope, no_token};
use crate::identity::UserId;
use crate::tokens::{ApiScope, LiveToken};
use crate::web::http::error::Error;
use crate::web::http::request_state::RequestState;

/// Describes the header `WWW-Authenticate`.
const CHALLENGE: &str = "`Bearer` and the reason (RFC 6750).";

/// A scope as a type.
pub trait ScopeType: 'static {
    const SCOPE: ApiScope;
}

macro_rules! scope_types {
    ($($name:ident),+ $(,)?) => {$(
        #[doc = concat!("The scope [`ApiScope::", stringify!($name), "`] as a type.")]
        pub struct $name;

        impl ScopeType for $name {
            const SCOPE: ApiScope = ApiScope::$name;
        }
    )+};
}

scope_types!(
    Me,
    UsersRead,
    UsersWrite,
    RolesWrite,
    Invitations,
    SessionsRead,
    SessionsWrite,
    AuditRead,
    AppsRead,
    AppsWrite,
    GroupsRead,
    GroupsWrite,
);

/// A request with a live token that has the scope `S`.
pub struct Scoped<S> {
    pub token: LiveToken,
    scope: PhantomData<S>,
}

impl<S> Scoped<S> {
    /// The user who acts, for the audit trail.
    pub fn user(&self) -> UserId {
        self.token.user_id
    }
}

impl<S: ScopeType> FromRequest for Scoped<S> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match RequestState::of(request).token() {
            None => Err(no_token().into()),
            Some(token) if token.allows(S::SCOPE) => Ok(Self { token, scope: PhantomData }),
            Some(_) => Err(insufficient_scope(S::SCOPE).into()),
        })
    }
}

/// Any program, with or without a token: for the description of the API itself.
pub struct Public;

impl FromRequest for Public {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

impl<S: ScopeType> DescribedArg for Scoped<S> {
    fn describe(operation: &mut DescribedOperation) {
        operation.refuses(401, "The token is missing, unknown, expired or revoked, or its user is disabled.");
        let needs = format!("The token lacks the scope `{}`, or its user lacks the role.", S::SCOPE.as_str());
        operation.refuses(403, &needs);
        operation.refuses(429, "Too many requests. Wait as long as `Retry-After` says.");
        operation.answer_header(401, "WWW-Authenticate", CHALLENGE);
        operation.answer_header(403, "WWW-Authenticate", CHALLENGE);
        operation.answer_header(429, "Retry-After", RETRY_AFTER);
    }
}

impl DescribedArg for Public {
    fn describe(_: &mut DescribedOperation) {}
}
