//! The real server on a port of its own, over a database of its own; and the two people tests are about.

use std::collections::HashMap;
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use latchkey::accounts::Accounts;
use latchkey::accounts::hasher::Hasher;
use latchkey::accounts::password::{HashCost, Password};
use latchkey::config::{Settings, Transport};
use latchkey::db::Db;
use latchkey::mail::Mailer;
use latchkey::web::{self, Shared};
use uuid::Uuid;

use super::browser::Browser;
use super::db::TestDb;

/// Cheap on purpose: what a hash costs is measured in the benchmarks, not here.
pub const CHEAP: HashCost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };

pub struct TestApp {
    pub db: TestDb,
    pub accounts: Accounts,
    pub origin: String,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Somebody with an account. They log in through the real form.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub name: &'static str,
    pub email: &'static str,
    pub password: &'static str,
}

impl TestApp {
    /// In local mode, with the mailbox.
    pub fn spawn() -> Self {
        Self::spawn_with(|_| {})
    }

    /// With other settings.
    pub fn spawn_with(change: impl FnOnce(&mut Settings)) -> Self {
        let db = TestDb::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let mut settings = settings(port);
        change(&mut settings);
        let pool = Db::new(&db.url(), settings.pool);
        let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())
            .expect("mail");
        let accounts = Accounts::new(pool, mailer, &settings).expect("accounts");
        let shared = Shared::new(accounts.clone(), &settings);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let server = web::serve(listener, shared, &settings).expect("a server");
                tell.send(server.handle()).expect("somebody waiting");
                server.await.expect("an orderly end");
            });
        });
        let server = told.recv().expect("a running server");
        Self { db, accounts, origin: format!("http://localhost:{port}"), server, thread: Some(thread) }
    }

    /// A browser nobody has used yet.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.origin)
    }

    /// Ada, a member.
    pub async fn ada(&self) -> Person {
        let ada = Person {
            id: Uuid::new_v4(),
            name: "Ada Lovelace",
            email: "ada@example.org",
            password: "poetical-science-1843",
        };
        self.admit(ada, "member").await
    }

    /// Grace, an administrator.
    pub async fn grace(&self) -> Person {
        let grace = Person {
            id: Uuid::new_v4(),
            name: "Grace Hopper",
            email: "grace@example.org",
            password: "nanoseconds-of-wire-30cm",
        };
        self.admit(grace, "admin").await
    }

    /// A browser in which `person` has just logged in.
    pub async fn logged_in(&self, person: &Person) -> Browser {
        let mut browser = self.browser();
        browser.log_in(person.email, person.password).await.redirects_to("/home");
        browser
    }

    async fn admit(&self, person: Person, role: &str) -> Person {
        let hasher = Hasher::new(CHEAP, 4, 64).expect("a hasher");
        let password = Password::given(person.password).expect("a password");
        let hash = hasher.hash(password).await.expect("a hash");
        self.db.execute(&format!(
            "INSERT INTO users (id, email, email_key, name, role, password_hash) VALUES ('{}', '{e}', '{e}', '{}', '{role}', '{}')",
            person.id,
            person.name,
            hash.as_str(),
            e = person.email,
        ));
        person
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.server.stop(false));
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
