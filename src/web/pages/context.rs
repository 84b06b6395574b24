//! What a handler has at hand: the shared things, the request's client and query, the frame of its page.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};

use crate::accounts::Accounts;
use crate::db::Fault;
use crate::factors::BrowserBinding;
use crate::identity::Client;
use crate::web::Shared;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Fields;
use crate::web::http::{assets, client_address, csrf, flash, headers, urlencoded};
use crate::web::pages::page::Page;
use crate::web::session::known_device;

pub struct Ctx {
    pub request: HttpRequest,
    pub shared: Data<Shared>,
}

impl Ctx {
    pub fn accounts(&self) -> &Accounts {
        &self.shared.accounts
    }

    pub fn page(&self) -> Page {
        Page::of(&self.request, &self.shared)
    }

    /// The frame of a page that offers passkeys, and so brings the one script there is.
    pub fn page_with_passkeys(&self) -> Page {
        let mut page = self.page();
        if self.accounts().factors.passkeys_available() {
            page.script = Some(assets::passkeys());
            self.request.extensions_mut().insert(headers::Scripted);
        }
        page
    }

    /// What ties the answer of this browser to what it was asked.
    pub fn binding(&self) -> BrowserBinding {
        BrowserBinding::of(&csrf::token(&self.request, &self.shared))
    }

    pub fn client(&self) -> Client {
        let user_agent = self.request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Client::of_request(
            client_address::of(&self.request, self.shared.trusted_hops),
            user_agent.unwrap_or_default(),
            known_device::shown(&self.request, &self.shared),
        )
    }

    /// The first parameter of this name in the query; empty when it is missing or no clean text.
    pub fn query(&self, name: &str) -> String {
        query(&self.request, name)
    }

    pub fn has_query(&self, name: &str) -> bool {
        urlencoded::first(self.request.query_string(), name).is_some_and(|value| !value.is_empty())
    }

    /// What a list is searched for. Text that cannot be searched for is refused, not taken for an empty search.
    pub fn search(&self) -> Result<String, Error> {
        let given = urlencoded::first(self.request.query_string(), "q").unwrap_or_default();
        let q = urlencoded::decode(given.as_bytes()).map_err(Error::Malformed)?;
        Ok(q.trim().to_owned())
    }

    /// A mailed token in the query. It ends at the first character that no token has: mail programs and people add
    /// brackets, full stops and what stood behind the link.
    pub fn mailed_token(&self, name: &str) -> &str {
        let given = urlencoded::first(self.request.query_string(), name).unwrap_or_default();
        let end = given.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        &given[..end.unwrap_or(given.len())]
    }

    /// The fields of a form nobody has filled in yet, with what the query brings along.
    pub fn fields(&self, names: &[&str]) -> Fields {
        Fields::new(names.iter().map(|name| ((*name).to_owned(), self.query(name))).collect())
    }

    pub fn redirect(&self, path: &str, flash: Flash) -> HttpResponse {
        flash::redirect(path, flash, &self.shared)
    }
}

impl FromRequest for Ctx {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<Ctx, Error> {
    let shared =
        request.app_data::<Data<Shared>>().cloned().ok_or_else(|| Fault::Bug("no shared state".into()))?;
    Ok(Ctx { request: request.clone(), shared })
}

/// See [`Ctx::query`].
pub fn query(request: &HttpRequest, name: &str) -> String {
    let given = urlencoded::first(request.query_string(), name).unwrap_or_default();
    urlencoded::decode(given.as_bytes()).unwrap_or_default()
}

/// The id in the path. What is no id names nothing: 404.
pub struct Id<T>(pub T);

impl<T: std::str::FromStr + 'static> FromRequest for Id<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().iter().next().and_then(|(_, text)| text.parse().ok());
        ready(id.map(Self).ok_or(Error::NotFound))
    }
}
