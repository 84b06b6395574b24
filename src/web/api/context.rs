//! What every handler of the API gets: the services, and the client for the audit trail.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::operation::{DescribedArg, DescribedOperation};
use crate::accounts::Accounts;
use crate::identity::Client;
use crate::web::http::client_address;
use crate::web::http::error::Error;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;

pub struct ApiContext {
    pub shared: Data<Shared>,
    request: HttpRequest,
}

impl ApiContext {
    pub fn accounts(&self) -> &Accounts {
        &self.shared.accounts
    }

    /// The client, with its token.
    pub fn client(&self) -> Client {
        let client = client(&self.request, &self.shared);
        match RequestState::of(&self.request).token() {
            Some(token) => client.with_token(token.id.0, &token.name),
            None => client,
        }
    }

    pub fn path(&self) -> &str {
        self.request.path()
    }
}

/// The client of a request, before its token is known. The known-device cookie is not read.
pub fn client(request: &HttpRequest, shared: &Shared) -> Client {
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let address = client_address::of(request, shared.trusted_hops);
    Client::of_request(address, user_agent.unwrap_or_default(), None)
}

impl FromRequest for ApiContext {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let shared = Shared::of(request).cloned().map_err(Error::from);
        ready(shared.map(|shared| Self { shared, request: request.clone() }))
    }
}

impl DescribedArg for ApiContext {
    fn describe(_: &mut DescribedOperation) {}
}
