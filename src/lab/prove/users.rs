//! The accounts of the test: users with many sessions each, one of which revokes the others.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::ProveError;
use super::error::Request;
use super::http::HttpConnection;
use super::token_target::TokenTarget;
use crate::accounts::Accounts;
use crate::apps::App;
use crate::config::{Misconfigured, Origin, Settings, Transport};
use crate::db::{Db, Fault, Refusable as _};
use crate::identity::{Client, Email, Name, Role, UserId};
use crate::mail::Mailer;
use crate::notices::write_nothing;
use crate::secret::{CookieSigner, Secret};
use crate::tokens::NewToken;
use latchkey_sessions::{Handle, Key, NewSession};
use secrecy::{ExposeSecret as _, SecretString};

/// The public URL of every instance, on any port.
pub const PUBLIC_URL: &str = "http://localhost";

/// Fewer than the limit of sessions a user may have.
const SESSIONS_PER_USER: usize = 60;

/// Fewer than the limit of tokens a user may have.
const TOKENS_PER_USER: usize = 20;

/// Longer than any proof takes.
const TOKEN_LIFETIME: Duration = Duration::from_secs(86_400);

pub struct ProbeUsers {
    accounts: Accounts,
    signer: CookieSigner,
    created: Cell<usize>,
}

/// A session, and when it was revoked.
pub struct Session {
    pub cookie: String,
    pub revocation: Revocation,
}

/// An access token, and when it was revoked.
pub struct ProbeToken {
    pub target: TokenTarget,
    pub text: SecretString,
    pub revocation: Revocation,
}

/// When a session or token is revoked, and how.
pub struct Revocation {
    /// Where the form is sent to.
    path: String,
    /// When the form was sent.
    pub sent: Cell<Option<Instant>>,
    /// When that form was answered. From then on no request may be served.
    pub answered: Cell<Option<Instant>>,
}

/// A user in one browser, who is about to revoke their other sessions, or their tokens.
pub struct ProbeUser {
    cookie: String,
    csrf_token: String,
    /// The page with the form. A revocation leads back to it.
    page: &'static str,
    pub other_sessions: Vec<Session>,
}

const SESSIONS_PAGE: &str = "/account/sessions";
const TOKENS_PAGE: &str = "/account/tokens";

impl ProbeUsers {
    /// Creates accounts as the instances know them: in the same database, with the same secret.
    pub fn new(settings: &Settings, url: &SecretString, secret: &SecretString) -> Result<Self, ProveError> {
        let mut settings = settings.clone();
        settings.secret = Secret::parse(secret.expose_secret())
            .map_err(|_| Misconfigured::new("the generated secret is too weak"))?;
        settings.server.public = Origin::parse(PUBLIC_URL).map_err(Misconfigured::new)?;
        // The notices about new tokens stay in the database of the test.
        settings.mail.transport = Transport::Mailbox;
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
        let (_, mut sessions) = self.new_user(1).await?;
        sessions.pop().ok_or_else(no_session)
    }

    /// A token that is never revoked.
    pub async fn bystanding_token(&self) -> Result<ProbeToken, ProveError> {
        let (user, _) = self.new_user(0).await?;
        self.token(user, 0).await
    }

    /// Creates a user and opens the page that lists their sessions.
    pub async fn user(&self, http: &mut HttpConnection) -> Result<ProbeUser, ProveError> {
        let (_, sessions) = self.new_user(SESSIONS_PER_USER).await?;
        open_page(http, SESSIONS_PAGE, sessions).await
    }

    /// A new user with tokens, who has opened the page that lists them.
    pub async fn user_with_tokens(
        &self,
        http: &mut HttpConnection,
    ) -> Result<(ProbeUser, Vec<ProbeToken>), ProveError> {
        let (user, sessions) = self.new_user(1).await?;
        let mut tokens = Vec::new();
        for number in 0..TOKENS_PER_USER {
            tokens.push(self.token(user, number).await?);
        }
        Ok((open_page(http, TOKENS_PAGE, sessions).await?, tokens))
    }

    /// * `number`: among the tokens of the user.
    async fn token(&self, user: UserId, number: usize) -> Result<ProbeToken, ProveError> {
        let target = TokenTarget::ALL[number % TokenTarget::ALL.len()];
        let token = NewToken {
            user,
            name: format!("Program {number}"),
            scopes: target.scopes()?,
            lifetime: TOKEN_LIFETIME,
            made_by: None,
        };
        let created = self.accounts.tokens.create(token, Client::operator()).await.split()?;
        let created = created.map_err(ProveError::TokenRefused)?;
        let revocation = Revocation::at(format!("{TOKENS_PAGE}/{}/revoke", created.record.id));
        Ok(ProbeToken { target, text: created.text.reveal().into(), revocation })
    }

    /// Creates a user, and opens `count` sessions like a log-in.
    async fn new_user(&self, count: usize) -> Result<(UserId, Vec<Session>), ProveError> {
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
        Ok((user, opened.into_iter().map(|(key, handle)| self.session(&key, handle)).collect()))
    }

    fn session(&self, key: &Key, handle: Handle) -> Session {
        let cookie = format!("latchkey={}", self.signer.sign(key.reveal()));
        Session { cookie, revocation: Revocation::at(format!("{SESSIONS_PAGE}/{handle}/revoke")) }
    }
}

/// Opens a page with the last of these sessions.
async fn open_page(
    http: &mut HttpConnection,
    page: &'static str,
    mut sessions: Vec<Session>,
) -> Result<ProbeUser, ProveError> {
    let Session { cookie, .. } = sessions.pop().ok_or_else(no_session)?;
    let answer = http.get(page, &cookie).await?;
    let field = answer.body.split_once("name=\"csrf_token\" value=\"").map(|(_, rest)| rest);
    let Some(csrf_token) = field.and_then(|rest| rest.split('"').next()) else {
        return Err(ProveError::unexpected(Request::Page(page), answer.status, answer.location));
    };
    let csrf_token = csrf_token.to_owned();
    Ok(ProbeUser { cookie, csrf_token, page, other_sessions: sessions })
}

impl Revocation {
    fn at(path: String) -> Self {
        Self { path, sent: Cell::default(), answered: Cell::default() }
    }
}

impl ProbeUser {
    /// The cookie of the session that revokes the others.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Revokes one of the other sessions, or a token, with the form on its page, and records when. Returns `false` if
    /// there was no answer in time, or the instance asked to come back later.
    pub async fn revoke(
        &self,
        revocation: &Revocation,
        http: &mut HttpConnection,
    ) -> Result<bool, ProveError> {
        revocation.sent.set(Some(Instant::now()));
        let form = format!("csrf_token={}", self.csrf_token);
        let answer = http.post(&revocation.path, &self.cookie, &form).await;
        let answered = Instant::now();
        match answer {
            Ok(answer) if answer.leads_to(self.page) => {
                revocation.answered.set(Some(answered));
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
