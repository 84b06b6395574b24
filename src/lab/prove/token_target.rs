//! Where the tokens of the proof are used: half of them at the API, half of them at an app behind the instances.

use std::io::Error;

use super::ProveError;
use super::http::{HttpConnection, PORTAL, ProbeAnswer};
use super::streams::{HOST, PAGE, SLUG};
use crate::tokens::RequestedScopes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTarget {
    Api,
    App,
}

impl TokenTarget {
    pub const ALL: [Self; 2] = [Self::Api, Self::App];

    pub fn scopes(self) -> Result<RequestedScopes, ProveError> {
        let scope = match self {
            Self::Api => "me".to_owned(),
            Self::App => format!("app:{SLUG}"),
        };
        RequestedScopes::parse([scope.as_str()]).map_err(ProveError::InvalidScope)
    }

    pub async fn request(self, http: &mut HttpConnection, token: &str) -> Result<ProbeAnswer, Error> {
        let (host, path) = match self {
            Self::Api => (PORTAL, "/api/v1/me"),
            Self::App => (HOST, PAGE),
        };
        http.get_with_token(host, path, token).await
    }
}
