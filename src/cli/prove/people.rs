//! Who is asked for: people with many sessions each, and one session of theirs that ends the others.

use std::cell::Cell;
use std::time::Instant;

use super::place::Place;
use super::wire::Wire;
use crate::accounts::Accounts;
use crate::cli::Failure;
use crate::config::{Settings, Transport};
use crate::db::Db;
use crate::identity::{Email, Name, Role};
use crate::mail::Mailer;
use crate::secret::{CookieSigner, Secret};
use crate::sessions::{Handle, Key, Login};

/// Below what one person may have.
const SESSIONS_EACH: usize = 60;

pub struct People {
    accounts: Accounts,
    signer: CookieSigner,
    made: Cell<usize>,
}

/// A session, and when it was ended.
pub struct Session {
    pub cookie: String,
    pub handle: Handle,
    /// When the form that ends it was sent.
    pub sent: Cell<Option<Instant>>,
    /// When that was answered: from here on nobody may be served as it.
    pub answered: Cell<Option<Instant>>,
}

/// Somebody at one browser, about to end what they have elsewhere.
pub struct Owner {
    cookie: String,
    token: String,
    pub elsewhere: Vec<Session>,
}

impl People {
    /// As the instances know them: the same database, the same secret.
    pub fn new(settings: &Settings, place: &Place) -> Result<Self, Failure> {
        let mut settings = settings.clone();
        settings.secret = Secret::parse(&place.secret).map_err(|_| "the secret is too weak")?;
        settings.mail.transport = Transport::None;
        settings.mail.smtp_url = None;
        let signer = CookieSigner::new(&settings.secret);
        let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
        let accounts = Accounts::new(Db::new(&place.url, settings.pool), mailer, &settings)?;
        Ok(Self { accounts, signer, made: Cell::new(0) })
    }

    /// A session that nobody ends.
    pub async fn bystander(&self) -> Result<Session, Failure> {
        self.person(1).await?.pop().ok_or_else(|| "no session was opened".into())
    }

    /// Somebody new, whose page of sessions is open in front of them.
    pub async fn owner(&self, wire: &mut Wire) -> Result<Owner, Failure> {
        let mut elsewhere = self.person(SESSIONS_EACH).await?;
        let Session { cookie, .. } = elsewhere.pop().ok_or("no session was opened")?;
        let page = wire.get("/account/sessions", &cookie).await?;
        let field = page.body.split_once("name=\"csrf_token\" value=\"").map(|(_, rest)| rest);
        let token = field.and_then(|rest| rest.split('"').next());
        let token = token.ok_or_else(|| format!("the page of sessions was answered with {}", page.status))?;
        Ok(Owner { cookie, token: token.to_owned(), elsewhere })
    }

    /// With so many sessions, opened as a log-in opens them.
    async fn person(&self, sessions: usize) -> Result<Vec<Session>, Failure> {
        let number = self.made.replace(self.made.get() + 1);
        let email = Email::parse(&format!("person{number}@example.org")).map_err(|why| why.to_string())?;
        let name = Name::parse(&format!("Person {number}")).map_err(|why| why.to_string())?;
        let made = self.accounts.admin.create_user(&email, &name, Role::Member).await?;
        let user = made.map_err(|_| "nobody can be made")?;
        let login = Login {
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
            .write(move |change| (0..sessions).map(|_| store.open(change, &login)).collect())
            .await?;
        Ok(opened.into_iter().map(|(key, handle)| self.session(&key, handle)).collect())
    }

    fn session(&self, key: &Key, handle: Handle) -> Session {
        let cookie = format!("latchkey={}", self.signer.sign(key.reveal()));
        Session { cookie, handle, sent: Cell::default(), answered: Cell::default() }
    }
}

impl Owner {
    /// Ends one of their sessions by the form on their page, and notes when. `false` where that was not answered in
    /// time, or with "come back".
    pub async fn end(&self, session: &Session, wire: &mut Wire) -> Result<bool, Failure> {
        let path = format!("/account/sessions/{}/revoke", session.handle);
        session.sent.set(Some(Instant::now()));
        let answer = wire.post(&path, &self.cookie, &format!("csrf_token={}", self.token)).await;
        let answered = Instant::now();
        match answer.map(|answer| (answer.status, answer.location)) {
            Ok((303, location)) if location == "/account/sessions" => {
                session.answered.set(Some(answered));
                Ok(true)
            }
            Ok((503, _)) | Err(_) => Ok(false),
            Ok((status, location)) => {
                Err(format!("ending a session was answered with {status} {location}").into())
            }
        }
    }
}
