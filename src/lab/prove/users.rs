//! The accounts of the test: users with many sessions each, one of which revokes the others.

use std::cell::Cell;
use std::time::Instant;

use super::ProveError;
use super::error::Request;
use super::http::HttpConnection;
use crate::accounts::Accounts;
use crate::apps::App;
use crate::config::{Misconfigured, Origin, Settings, Transport};
use crate::db::{Db, Fault, Refusable as _};
use crate::identity::{Client, Email, Name, Role};
use crate::mail::Mailer;
use crate::notices::write_nothing;
use crate::secret::{CookieSigner, Secret};
use latchkey_sessions::{Handle, Key, NewSession};
use secrecy::{ExposeSecret as _, SecretString};

/// The public URL of every instance, on any port.
pub const PUBLIC_URL: &str = "http://localhost";

/// Fewer than the limit of sessions a user may have.
const SESSIONS_PER_USER: usize = 60;

pub struct ProbeUsers {
    accounts: Accounts,
    signer: CookieSigner,
    created: Cell<usize>,
}

/// A session, and when it was revoked.
pub struct Session {
    pub cookie: String,
    pub handle: Handle,
    /// When the form that revokes it was sent.
    pub sent: Cell<Option<Instant>>,
    /// When that form was answered. From then on no request may be served with this session.
    pub answered: Cell<Option<Instant>>,
}

/// A user in one browser, who is about to revoke their other sessions.
pub struct ProbeUser {
    cookie: String,
    csrf_token: String,
    pub other_sessions: Vec<Session>,
}

impl ProbeUsers {
    /// Creates accounts as the instances know them: in the same database, with the same secret.
    pub fn new(settings: &Settings, url: &SecretString, secret: &SecretString) -> Result<Self, ProveError> {
        let mut settings = settings.clone();
        settings.secret = Secret::parse(secret.expose_secret())
            .map_err(|_| Misconfigured::new("the generated secret is too weak"))?;
        settings.server.public = Origin::parse(PUBLIC_URL).map_err(Misconfigured::new)?;
        settings.mail.transport = Transport::None;
        settings.mail.smtp_url = None;
        let signer = CookieSigner::new(&settings.secret);
        let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
        let accounts =
            Accounts::new(Db::new(url.expose_secret(), settings.pool), mailer, &settings, write_nothing)?;
        Ok(Self { accounts, signer, created: Cell::new(0) })
    }

    /// Puts an app behind the instances.
    pub async fn register(&self, app: App) -> Result<(), ProveError> {
        let added = self.accounts.apps.add(None, app, Client::operator()).await.split()?;
        added.map_err(ProveError::AppRefused)
    }

    /// A session that is never revoked.
    pub async fn bystander(&self) -> Result<Session, ProveError> {
        self.sessions_of_new_user(1).await?.pop().ok_or_else(no_session)
    }

    /// Creates a user and opens the page that lists their sessions.
    pub async fn user(&self, http: &mut HttpConnection) -> Result<ProbeUser, ProveError> {
        let mut other_sessions = self.sessions_of_new_user(SESSIONS_PER_USER).await?;
        let Session { cookie, .. } = other_sessions.pop().ok_or_else(no_session)?;
        let page = http.get("/account/sessions", &cookie).await?;
        let field = page.body.split_once("name=\"csrf_token\" value=\"").map(|(_, rest)| rest);
        let Some(csrf_token) = field.and_then(|rest| rest.split('"').next()) else {
            return Err(ProveError::unexpected(Request::SessionsPage, page.status, page.location));
        };
        Ok(ProbeUser { cookie, csrf_token: csrf_token.to_owned(), other_sessions })
    }

    /// Creates a user, and opens `count` sessions like a log-in.
    async fn sessions_of_new_user(&self, count: usize) -> Result<Vec<Session>, ProveError> {
        let number = self.created.replace(self.created.get() + 1);
        let invalid = |why: &dyn std::fmt::Debug| ProveError::InvalidAccount(format!("{why:?}"));
        let email = Email::parse(&format!("person{number}@example.org")).map_err(|why| invalid(&why))?;
        let name = Name::parse(&format!("Person {number}")).map_err(|why| invalid(&why))?;
        let created = self.accounts.admin.create_user(&email, &name, Role::Member).await.split()?;
        let user = created.map_err(ProveError::AccountRefused)?;
        let login = NewSession {
            principal: user.principal(),
            remember: false,
            factor: "password".into(),
            address: "127.0.0.1".into(),
            user_agent: "latchkey prove".into(),
            device: None,
        };
        let store = self.accounts.sessions().clone();
        let opened: Vec<(Key, Handle)> = self
            .accounts
            .sessions()
            .write(move |change| (0..count).map(|_| store.open(change, &login)).collect())
            .await?;
        Ok(opened.into_iter().map(|(key, handle)| self.session(&key, handle)).collect())
    }

    fn session(&self, key: &Key, handle: Handle) -> Session {
        let cookie = format!("latchkey={}", self.signer.sign(key.reveal()));
        Session { cookie, handle, sent: Cell::default(), answered: Cell::default() }
    }
}

impl ProbeUser {
    /// The cookie of the session that revokes the others.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Revokes one of the other sessions with the form on their page, and records when. Returns `false` if there was
    /// no answer in time, or the instance asked to come back later.
    pub async fn revoke(&self, session: &Session, http: &mut HttpConnection) -> Result<bool, ProveError> {
        let path = format!("/account/sessions/{}/revoke", session.handle);
        session.sent.set(Some(Instant::now()));
        let answer = http.post(&path, &self.cookie, &format!("csrf_token={}", self.csrf_token)).await;
        let answered = Instant::now();
        match answer {
            Ok(answer) if answer.leads_to("/account/sessions") => {
                session.answered.set(Some(answered));
                Ok(true)
            }
            Ok(answer) if answer.status != 503 => {
                Err(ProveError::unexpected(Request::Revocation, answer.status, answer.location))
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }
}

fn no_session() -> ProveError {
    ProveError::Fault(Fault::Bug("no session was opened".into()))
}
