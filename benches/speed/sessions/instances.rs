//! Instances on one database, in this process: the program without its pages.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::rt::time::sleep;
use latchkey::accounts::Accounts;
use latchkey::config::Settings;
use latchkey::db::Db;
use latchkey::identity::{Client, LiveUser};
use latchkey::mail::Mailer;
use latchkey::web::copy::mails;
use latchkey_sessions::{InvalidationListener, Key, NewSession, Principal};
use uuid::Uuid;

use crate::environment::{Environment, SECRET};

pub struct Instance {
    pub accounts: Accounts,
    listener: Option<InvalidationListener>,
}

impl Instance {
    /// Starts an instance, and waits until it serves from memory.
    pub async fn start(environment: &Environment) -> Self {
        let variables = [
            ("DATABASE_URL", environment.url.as_str()),
            ("LATCHKEY__SECRET", SECRET),
            ("LATCHKEY__SERVER__PUBLIC_URL", "http://localhost:8080"),
        ];
        let variables: HashMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = Settings::from_environment(variables).unwrap_or_else(|error| panic!("{error}"));
        let db = Db::new(&environment.url, settings.pool);
        let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone());
        let accounts = Accounts::new(db, mailer.unwrap(), &settings, mails::write).unwrap();
        let listener = Some(accounts.sessions().listen());
        while !accounts.sessions().has_lease() {
            sleep(Duration::from_millis(5)).await;
        }
        Self { accounts, listener }
    }

    pub async fn three(environment: &Environment) -> [Self; 3] {
        [Self::start(environment).await, Self::start(environment).await, Self::start(environment).await]
    }

    /// Opens a session without form and password.
    pub async fn open(&self, user: Uuid) -> Key {
        let sessions = self.accounts.sessions().clone();
        let login = NewSession {
            principal: Principal(user),
            remember: false,
            factor: "password".into(),
            address: "203.0.113.7".into(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0".into(),
            device: None,
        };
        let opened = self.accounts.sessions().write(move |change| sessions.open(change, &login)).await;
        opened.unwrap().0
    }

    pub async fn find(&self, key: &Key) -> Option<LiveUser> {
        self.accounts.sessions().find(key).await.unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop();
        }
    }
}

pub fn client() -> Client {
    Client::of_request(Some([203, 0, 113, 7].into()), "bench", None)
}
