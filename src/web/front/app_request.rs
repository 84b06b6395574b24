//! One request to the origin of an app, as Latchkey's own pages on that origin need it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, Uri};
use latchkey_sessions::Use;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::app_key::PresentedAppKey;
use super::page::{self, PageContent};
use crate::apps::{App, AppOrigin};
use crate::db::Fault;
use crate::identity::Client;
use crate::web::copy::front::FrontCode;
use crate::web::http::shared::Shared;
use crate::web::http::{return_to, urlencoded};
use crate::web::proxy::access_token;
use crate::web::streams::{Credential, LiveCredential};

/// The paths below this one are Latchkey's on every origin of an app.
pub const RESERVED: &str = "/.latchkey/";

/// All but the unreserved characters (RFC 3986 §2.3).
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub struct AppRequest<'r> {
    pub shared: &'r Shared,
    pub app: &'r Arc<App>,
    pub origin: &'r AppOrigin,
    pub method: &'r Method,
    pub uri: &'r Uri,
    pub headers: &'r HeaderMap,
    pub client: &'r Client,
    /// The IP address of the client, if it is known.
    pub address: Option<IpAddr>,
    /// How many of the operator's proxies have reported it.
    pub hops: usize,
    /// Identifies the request in the log and on pages.
    pub id: &'r str,
}

impl AppRequest<'_> {
    pub fn key(&self) -> Option<PresentedAppKey> {
        PresentedAppKey::of(self.headers, self.origin, &self.shared.secret)
    }

    /// The credential of the request: an access token, otherwise an app key. A request with both is judged by the token
    /// alone, as at the API.
    pub fn credential(&self) -> Option<Credential> {
        let mut values = self.headers.get_all(header::AUTHORIZATION);
        match values.find_map(|value| access_token(value.as_bytes())) {
            Some(token) => Some(Credential::Token(token.into())),
            None => self.key().map(|key| key.credential()),
        }
    }

    /// The session or token of the credential, if it is valid for this app and this origin.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn find(&self, credential: &Credential, usage: Use) -> Result<Option<LiveCredential>, Fault> {
        credential.find(&self.shared.accounts, self.app.id, self.origin, usage).await
    }

    /// A page of Latchkey about this app.
    pub fn page(&self, code: FrontCode, content: PageContent) -> HttpResponse {
        page::page(code, Some(self.app), content, self.id)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        urlencoded::first(self.uri.query().unwrap_or_default(), name)
    }

    /// Where the user continues: the path in `to`, or `/`.
    pub fn to(&self) -> String {
        let given = self.query("to").and_then(|to| urlencoded::decode(to.as_bytes()).ok());
        given.and_then(|to| local_path(&to).map(str::to_owned)).unwrap_or_else(|| "/".to_owned())
    }

    /// The path of this request, with its query.
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// The URL on this origin where a log-in for this request begins. `fresh`: the user has to confirm.
    pub fn log_in_url(&self, fresh: bool) -> String {
        let to = local_path(self.path_and_query()).unwrap_or("/");
        let fresh = if fresh { "fresh=1&" } else { "" };
        format!("{}{RESERVED}in?{fresh}to={}", self.origin, component(to))
    }

    /// Whether a page of this origin sent the form. A client that sends neither header is no browser.
    pub fn is_same_origin(&self) -> bool {
        let text = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
            (Some(site), _) if site != "same-origin" => false,
            (site, Some(origin)) => self.origin.is(origin) || origin == "null" && site.is_some(),
            _ => true,
        }
    }
}

/// The client of a request, as the audit trail names it.
pub fn client_of(headers: &HeaderMap, address: Option<IpAddr>) -> Client {
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Client::of_request(address, user_agent.unwrap_or_default(), None)
}

/// `raw`, if every browser reads it as a path of the app. Latchkey's own paths are not accepted.
pub fn local_path(raw: &str) -> Option<&str> {
    return_to::safe(raw).filter(|path| !path.starts_with(RESERVED))
}

/// `text`, encoded as the value of a query parameter.
pub fn component(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, COMPONENT).into()
}
