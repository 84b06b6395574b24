//! The arguments that handlers share: services, client and query of the request, and the frame of its page.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use latchkey_sessions::Key;

use crate::accounts::Accounts;
use crate::db::Fault;
use crate::factors::BrowserBinding;
use crate::identity::Client;
use crate::lab::Lab;
use crate::login::{OpenedSession, PendingKey};
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Fields;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;
use crate::web::http::{assets, client_address, csrf, flash, urlencoded};
use crate::web::pages::page::Page;
use crate::web::session::{current_session, known_device};

pub struct RequestContext {
    pub request: HttpRequest,
    pub shared: Data<Shared>,
}

/// Whether a form, or the query of a script, asks to stay logged in.
pub fn wants_remember(value: &str) -> bool {
    matches!(value, "1" | "on" | "true" | "yes")
}

impl RequestContext {
    pub fn accounts(&self) -> &Accounts {
        &self.shared.accounts
    }

    /// The lab, if `LATCHKEY__COMPARE` is on. If it is off, its routes do not exist.
    pub fn lab(&self) -> Result<&Lab, Error> {
        self.shared.lab.as_ref().ok_or(Error::NotFound)
    }

    pub fn page(&self) -> Page {
        Page::of(&self.request, &self.shared)
    }

    /// The frame of a page that offers passkeys and therefore loads the script.
    pub fn page_with_passkeys(&self) -> Page {
        let mut page = self.page();
        if self.accounts().factors.passkeys_available() {
            page.script = Some(assets::passkeys());
            RequestState::of(&self.request).needs_script.set(true);
        }
        page
    }

    /// Binds a passkey response to the browser that got the challenge.
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

    /// The first parameter of this name in the query; empty if it is missing or not clean text.
    pub fn query(&self, name: &str) -> String {
        urlencoded::query(&self.request, name)
    }

    pub fn has_query(&self, name: &str) -> bool {
        urlencoded::first(self.request.query_string(), name).is_some_and(|value| !value.is_empty())
    }

    /// The search text of a list. Text that cannot be searched for is refused, not treated as an empty search.
    pub fn search(&self) -> Result<String, Error> {
        let given = urlencoded::first(self.request.query_string(), "q").unwrap_or_default();
        let q = urlencoded::decode(given.as_bytes()).map_err(Error::Malformed)?;
        Ok(q.trim().to_owned())
    }

    /// A mailed token in the query. It ends at the first character that no token contains: mail programs and users
    /// append brackets, full stops and the text after the link.
    pub fn mailed_token(&self, name: &str) -> &str {
        let given = urlencoded::first(self.request.query_string(), name).unwrap_or_default();
        let end = given.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        &given[..end.unwrap_or(given.len())]
    }

    /// The fields of an empty form, with values from the query.
    pub fn fields(&self, names: &[&str]) -> Fields {
        Fields::new(names.iter().map(|name| ((*name).to_owned(), self.query(name))).collect())
    }

    /// See [`current_session::begin`].
    pub fn begin_session(&self, opened: OpenedSession) -> Result<(), Fault> {
        current_session::begin(&self.request, &self.shared, opened)
    }

    /// See [`current_session::begin_pending`].
    pub fn begin_pending_log_in(&self, key: &PendingKey) {
        current_session::begin_pending(&self.request, &self.shared, key);
    }

    /// See [`current_session::rotate`].
    pub fn rotate_session(&self, key: Key) {
        current_session::rotate(&self.request, key);
    }

    /// See [`current_session::end`].
    pub fn end_session(&self, answer: &mut HttpResponse) {
        current_session::end(&self.request, &self.shared, answer);
    }

    /// The next page shows `flash`.
    pub fn flash(&self, flash: Flash) {
        flash::set(&self.request, &self.shared, flash);
    }

    /// 303 to `path`, whose page then shows `flash`.
    pub fn redirect(&self, path: &str, flash: Flash) -> HttpResponse {
        flash::redirect(&self.request, &self.shared, path, flash)
    }
}

impl FromRequest for RequestContext {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<RequestContext, Error> {
    let shared = Shared::of(request)?.clone();
    Ok(RequestContext { request: request.clone(), shared })
}
