//! The real server on its own port and its own database, and the users of the tests.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::Data;
use futures_util::future::join_all;
use latchkey::accounts::Accounts;
use latchkey::config::{Settings, Transport};
use latchkey::db::Db;
use latchkey::mail::{Mailer, StoredMail};
use latchkey::passwords::{HashCost, Hasher, Password};
use latchkey::web::copy::mails;
use latchkey::web::{self, Shared};
use latchkey_sessions::InvalidationListener;
use uuid::Uuid;

use super::browser::Browser;
use super::db::TestDb;

/// Cheap, because benchmarks measure the cost of a hash, not these tests.
pub const CHEAP: HashCost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };

pub struct TestApp {
    pub db: Arc<TestDb>,
    pub accounts: Accounts,
    pub origin: String,
    /// The port for the questions of proxies, if `settings.front.port` is set.
    pub decisions: u16,
    servers: Vec<ServerHandle>,
    listener: Option<InvalidationListener>,
    thread: Option<JoinHandle<()>>,
}

/// A user with an account. They log in through the real form.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub name: &'static str,
    pub email: &'static str,
    pub password: &'static str,
}

impl Person {
    pub fn ada() -> Self {
        Self {
            id: Uuid::new_v4(),
            name: "Ada Lovelace",
            email: "ada@example.org",
            password: "poetical-science-1843",
        }
    }

    pub fn grace() -> Self {
        Self {
            id: Uuid::new_v4(),
            name: "Grace Hopper",
            email: "grace@example.org",
            password: "nanoseconds-of-wire-30cm",
        }
    }
}

/// An email that was sent to a user.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Letter {
    /// Path and query of the first link in the email.
    #[track_caller]
    pub fn link(&self) -> String {
        let link = self.text.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
        let (_, rest) = link.split_once("://").expect("a scheme");
        format!("/{}", rest.split_once('/').expect("a path").1)
    }

    /// The token in that link.
    #[track_caller]
    pub fn token(&self) -> String {
        self.link().split_once('=').expect("a token").1.to_owned()
    }
}

impl TestApp {
    /// In local mode, with the mailbox.
    pub fn spawn() -> Self {
        Self::spawn_with(|_| {})
    }

    /// With other settings.
    pub fn spawn_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::spawn_on(Arc::new(TestDb::new()), change)
    }

    /// Another instance on the same database.
    pub fn beside(&self, change: impl FnOnce(&mut Settings)) -> Self {
        Self::spawn_on(Arc::clone(&self.db), change)
    }

    fn spawn_on(db: Arc<TestDb>, change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let mut settings = settings(port);
        change(&mut settings);
        let pool = Db::new(&db.url(), settings.pool);
        let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())
            .expect("mail");
        let accounts = Accounts::new(pool, mailer, &settings, mails::write).expect("accounts");
        let shared = Data::new(Shared::new(accounts.clone(), &settings));
        let deciding =
            settings.front.address().map(|address| TcpListener::bind(address).expect("a free port"));
        let decisions = deciding.as_ref().map_or(0, |at| at.local_addr().expect("its number").port());
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let server = web::serve(vec![listener], shared.clone(), &settings).expect("a server");
                let mut servers = vec![server];
                servers.extend(deciding.map(|listener| {
                    web::serve_decisions(listener, shared, &settings).expect("another server")
                }));
                let handles = servers.iter().map(|server| server.handle()).collect::<Vec<_>>();
                tell.send(handles).expect("the test waits for the handles");
                for ended in join_all(servers).await {
                    ended.expect("an orderly end");
                }
            });
        });
        let servers = told.recv().expect("running servers");
        let listener = Some(accounts.sessions().listen());
        Self {
            db,
            accounts,
            origin: format!("http://localhost:{port}"),
            decisions,
            servers,
            listener,
            thread: Some(thread),
        }
    }

    /// A fresh browser without cookies.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.origin)
    }

    /// Ada, a member.
    pub async fn ada(&self) -> Person {
        admit(&self.db, Person::ada(), "member").await
    }

    /// Grace, an administrator.
    pub async fn grace(&self) -> Person {
        admit(&self.db, Person::grace(), "admin").await
    }

    /// A browser in which `person` has just logged in.
    pub async fn logged_in(&self, person: &Person) -> Browser {
        let mut browser = self.browser();
        browser.log_in(person.email, person.password).await.redirects_to("/home");
        browser
    }

    /// The emails written so far, newest first.
    pub async fn letters(&self) -> Vec<Letter> {
        let kept = self.accounts.mailer().mailbox(self.accounts.db()).await.expect("the mailbox");
        let letter = |kept: StoredMail| Letter {
            to: kept.to,
            subject: kept.subject,
            text: kept.body.expect("a body that opens").text,
        };
        kept.into_iter().map(letter).collect()
    }

    /// The newest email to `to` with this subject.
    pub async fn letter(&self, to: &str, subject: &str) -> Letter {
        let letters = self.letters().await;
        let found = letters.iter().find(|letter| letter.to == to && letter.subject == subject);
        found.cloned().unwrap_or_else(|| panic!("no {subject:?} to {to} among {letters:?}"))
    }

    /// How many emails with this subject were written.
    pub async fn count_letters(&self, subject: &str) -> usize {
        self.letters().await.iter().filter(|letter| letter.subject == subject).count()
    }

    /// Ages every session: its log-in and its confirmation were an hour ago.
    pub fn age_confirmations(&self) {
        self.db.execute("UPDATE sessions SET confirmed_at = confirmed_at - interval '1 hour'");
    }

    /// Lets the waiting times of the throttle pass.
    pub fn wait_out_throttles(&self) {
        self.db.execute(
            "UPDATE throttles SET blocked_until = blocked_until - interval '2 hours', \
             counting_since = counting_since - interval '2 hours'",
        );
    }

    pub fn live_sessions(&self, person: &Person) -> i64 {
        self.db.scalar(&format!(
            "SELECT count(*) FROM sessions WHERE principal = '{}' AND revoked_at IS NULL AND expires_at > now()",
            person.id
        ))
    }

    /// How often `act` is in the audit trail.
    pub fn events(&self, act: &str) -> i64 {
        self.db.scalar(&format!("SELECT count(*) FROM audit_events WHERE act = '{act}'"))
    }

    /// Every row of every table as text, one per line, in a stable order; without the listeners, which come and go.
    pub fn dump(&self) -> String {
        let tables: String = self.db.scalar(
            "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'listeners'",
        );
        let rows = |table: &str| -> String {
            self.db.scalar(&format!(
                "SELECT coalesce(string_agg('{table} ' || t::text, E'\n' ORDER BY t::text), '') FROM {table} t"
            ))
        };
        tables.split(' ').map(rows).collect::<Vec<_>>().join("\n")
    }

    /// Mary, another member.
    pub async fn mary(&self) -> Person {
        let (email, password) = Self::MARY;
        let mary = Person { id: Uuid::new_v4(), name: "Mary Somerville", email, password };
        admit(&self.db, mary, "member").await
    }

    /// Her email address and password.
    pub const MARY: (&str, &str) = ("mary@example.org", "on the connexion of the sciences");
}

/// Creates the account of `person`.
pub async fn admit(db: &TestDb, person: Person, role: &str) -> Person {
    let hasher = Hasher::new(CHEAP, 4, 64).expect("a hasher");
    let password = Password::given(person.password).expect("a password");
    let hash = hasher.hash(password).await.expect("a hash");
    db.execute(&format!(
        "INSERT INTO users (id, email, email_key, name, role, password_hash) VALUES ('{}', '{e}', '{e}', '{}', '{role}', '{}')",
        person.id,
        person.name,
        hash.as_str(),
        e = person.email,
    ));
    person
}

impl TestApp {
    /// Stops the server as a signal does, and waits until its requests have ended.
    pub async fn stop(&self) {
        join_all(self.servers.iter().map(|server| server.stop(true))).await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.listener.take());
        self.servers.iter().for_each(|server| drop(server.stop(false)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn settings(port: u16) -> Settings {
    let pairs = [
        ("PORT", port.to_string()),
        ("DATABASE_URL", "replaced below".into()),
        ("LATCHKEY__SECRET", "only-for-tests-0123456789-abcdefghijkl".into()),
        ("LATCHKEY__SERVER__PUBLIC_URL", format!("http://localhost:{port}")),
        ("LATCHKEY__SERVER__WORKERS", "1".into()),
        ("LATCHKEY__DATABASE__POOL_SIZE", "4".into()),
        ("LATCHKEY__HASHING__MEMORY_KIB", CHEAP.memory_kib.to_string()),
        ("LATCHKEY__HASHING__ITERATIONS", CHEAP.iterations.to_string()),
    ];
    let env: HashMap<String, String> = pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let mut settings = Settings::from_environment(env).expect("settings");
    // Local mode, but on the tests' own server.
    settings.database = None;
    settings.mail.transport = Transport::Mailbox;
    settings
}
