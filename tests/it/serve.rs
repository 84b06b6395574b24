//! `latchkey serve` as a process: first start, readiness, shutdown, and outages in between.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use actix_web::rt::spawn;
use diesel::connection::SimpleConnection as _;
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use nix::sys::signal::{Signal, kill};

use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Running, eventually, free_port};

pub const PASSWORD: &str = "nanoseconds-of-wire-30cm";

// ------------------------------------------------------------------------------------ local mode

#[actix_web::test]
async fn the_first_start_prints_a_link_that_makes_the_first_administrator_once() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let mut first = latchkey.serve_ready().await;
    let path = setup_path(&first).await;

    let mut grace = first.browser();
    set_up(&mut grace, &path, "grace@example.org").await;
    grace.log_in("grace@example.org", PASSWORD).await.redirects_to("/home");
    grace.get("/admin").await.is(200);

    let mut late = first.browser();
    late.open(&path).await.is(410);
    let fields =
        [("token", token(&path)), ("name", "Eve"), ("email", "eve@example.org"), ("password", PASSWORD)];
    // The page without a usable link has no form; any other page has a token.
    late.get("/login").await.is(200);
    late.post("/setup", &fields).await.is(422).is_refused("dead-link");

    first.stop(Signal::SIGTERM).await;
    assert_eq!(dir.postgres(), None);

    // Readiness is logged after the link would have been.
    let mut second = latchkey.serve_ready().await;
    second.logged("\"ready\"").await;
    grace.get("/admin").await.is(200);
    late.open(&path).await.is(410);
    let lines = second.stop(Signal::SIGINT).await;
    assert!(!lines.iter().any(|line| line.contains("/setup?token=")), "{lines:#?}");
    assert_eq!(dir.postgres(), None);
}

#[actix_web::test]
async fn open_registration_without_mail_is_said_at_the_start() {
    const WORDS: &str = "visitors cannot register: there is no mail server";
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let mut running = latchkey.serve_ready().await;
    assert_eq!(running.logged(WORDS).await["registration"], "open");
    running.stop(Signal::SIGTERM).await;
    let with_mail = latchkey.clone().with("LATCHKEY__MAIL__SMTP_URL", "smtp://127.0.0.1:9");
    for quiet in [latchkey.with("LATCHKEY__REGISTRATION", "closed"), with_mail] {
        let mut running = quiet.serve_ready().await;
        let lines = running.stop(Signal::SIGTERM).await;
        assert!(!lines.iter().any(|line| line.contains(WORDS)), "{lines:#?}");
    }
}

#[actix_web::test]
async fn after_kill_9_sessions_data_and_secret_are_still_there() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let mut first = latchkey.serve_ready().await;
    let path = setup_path(&first).await;
    let mut grace = first.browser();
    set_up(&mut grace, &path, "grace@example.org").await;
    grace.log_in("grace@example.org", PASSWORD).await.redirects_to("/home");
    let (secret, postgres) = (dir.read("secret"), dir.postgres());
    first.kill().await;

    let mut second = latchkey.serve_ready().await;
    grace.get("/home").await.is(200).says("Grace");
    assert_eq!((dir.read("secret"), dir.postgres()), (secret, postgres));

    // The same after all processes were killed.
    second.kill().await;
    kill(dir.postgres().expect("a server left behind"), Signal::SIGKILL).unwrap();
    let mut third = latchkey.serve_ready().await;
    grace.get("/home").await.is(200).says("Grace");
    third.stop(Signal::SIGTERM).await;
    assert_eq!(dir.postgres(), None);
}

#[actix_web::test]
async fn two_instances_that_start_at_once_on_one_directory_share_it_until_the_last_one_ends() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let mut one = latchkey.serve().await;
    let mut two = latchkey.on_another_port().serve().await;
    one.ready().await;
    two.ready().await;

    let path = setup_path(&one).await;
    let mut grace = two.browser();
    // The link of either instance works on either instance.
    set_up(&mut grace, &path, "grace@example.org").await;
    grace.log_in("grace@example.org", PASSWORD).await.redirects_to("/home");
    let mut elsewhere = one.browser();
    elsewhere.cookies = grace.cookies.clone();
    elsewhere.get("/home").await.is(200);

    one.stop(Signal::SIGTERM).await;
    grace.get("/home").await.is(200);
    assert!(dir.postgres().is_some());
    two.stop(Signal::SIGTERM).await;
    assert_eq!(dir.postgres(), None);
}

// ------------------------------------------------------------------------------------- readiness

#[actix_web::test]
async fn it_is_alive_before_its_database_is_there_and_ready_soon_after() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let gate = Gate::new();
    let latchkey = Latchkey::on(&gate.url(&app.db)).with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s");
    let running = latchkey.serve().await;

    let mut browser = running.browser();
    browser.get("/healthz").await.is(200);
    browser.get("/readyz").await.is(503);
    browser.get("/robots.txt").await.is(200);
    let answer = browser.fill_in("/login", &[("email", ada.email), ("password", ada.password)]).await;
    answer.is(503).is_error("outcome-unknown");
    assert!(answer.header("retry-after").is_some());
    assert!(answer.header("content-security-policy").is_some());
    running.logged("waiting for the database").await;

    gate.open(&app.db);
    running.ready().await;
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    browser.get("/home").await.is(200);
}

#[actix_web::test]
async fn a_browser_that_is_logged_in_stays_so_when_a_start_finds_no_database() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    let mut running = latchkey.serve_ready().await;
    let mut browser = logged_in(&running, &ada).await;
    running.kill().await;

    let gate = Gate::new();
    let running = latchkey.with("DATABASE_URL", gate.url(&app.db)).serve().await;
    let answer = browser.get("/home").await;
    assert_eq!(answer.is(503).header("set-cookie"), None);
    gate.open(&app.db);
    running.ready().await;
    browser.get("/home").await.is(200);
}

#[actix_web::test]
async fn while_another_instance_migrates_this_one_waits_and_says_that_it_is_not_ready() {
    let db = TestDb::new();
    let mut other = db.connect();
    other.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).unwrap();
    let running = Latchkey::on(&db.url()).serve().await;
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database()))";
    eventually("a session waiting for the lock", async || db.scalar::<bool>(waits).then_some(())).await;
    let mut browser = running.browser();
    browser.get("/healthz").await.is(200);
    browser.get("/readyz").await.is(503);
    other.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")).unwrap();
    running.ready().await;
}

#[actix_web::test]
async fn a_start_amid_a_failover_waits_until_the_database_may_be_written_to() {
    let db = TestDb::new();
    db.only_reads(true);
    let mut running = Latchkey::on(&db.url()).serve().await;
    running.logged("waiting for the database").await;
    running.browser().get("/readyz").await.is(503);
    db.only_reads(false);
    running.ready().await;
    running.stop(Signal::SIGTERM).await;
}

#[actix_web::test]
async fn a_stop_signal_before_the_database_is_ready_stops_the_program() {
    let db = TestDb::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut running = Latchkey::on(&Gate::new().url(&db)).serve().await;
        running.logged("waiting for the database").await;
        running.stop(signal).await;
    }
    let mut other = db.connect();
    other.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).unwrap();
    let mut running = Latchkey::on(&db.url()).serve().await;
    running.logged("listening").await;
    running.stop(Signal::SIGTERM).await;
}

#[actix_web::test]
async fn a_taken_port_is_one_clear_line() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let _taken = TcpListener::bind(("127.0.0.1", latchkey.port)).unwrap();
    let line = latchkey.run(&["serve"]).refused().to_owned();
    assert!(line.starts_with(&format!("cannot listen on 127.0.0.1:{}: ", latchkey.port)), "{line}");
}

#[actix_web::test]
async fn a_database_that_is_newer_than_the_program_is_served_all_the_same() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    // A migration of a future version that only adds.
    app.db.execute(
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000');
         ALTER TABLE users ADD COLUMN nickname text; ALTER TABLE sessions ADD COLUMN colour text DEFAULT 'red'",
    );
    let running = Latchkey::on(&app.db.url()).serve_ready().await;
    logged_in(&running, &ada).await.get("/home").await.is(200);
}

// -------------------------------------------------------------------------------------- its end

#[actix_web::test]
async fn a_signal_lets_what_is_running_finish() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let app = TestApp::spawn();
        let ada = app.ada().await;
        let latchkey = Latchkey::on(&app.db.url())
            .with("LATCHKEY__DATABASE__LOCK_TIMEOUT", "60s")
            .with("LATCHKEY__DATABASE__STATEMENT_TIMEOUT", "60s");
        let mut running = latchkey.serve_ready().await;
        let mut browser = running.browser();
        browser.get("/login").await.is(200);

        let mut in_the_way = app.db.connect();
        in_the_way.batch_execute("BEGIN; LOCK TABLE throttles").unwrap();
        let log_in = spawn(async move {
            let fields = [("email", ada.email), ("password", ada.password)];
            browser.post("/login", &fields).await.redirects_to("/home");
            browser
        });
        // The background tasks may have to wait as well.
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                     AND wait_event_type = 'Lock' AND query NOT LIKE 'DELETE%')";
        eventually("a log-in under way", async || app.db.scalar::<bool>(waits).then_some(())).await;
        running.signal(signal);
        running.logged("stopping").await;
        eventually("a closed port", async || (!running.listens()).then_some(())).await;
        in_the_way.batch_execute("COMMIT").unwrap();
        let mut browser = log_in.await.unwrap();
        let (status, _) = running.ended().await;
        assert_eq!(status.code(), Some(0));

        // Every acknowledged change is still there.
        let _again = latchkey.serve_ready().await;
        browser.get("/home").await.is(200);
    }
}

#[actix_web::test]
async fn under_load_a_signal_cuts_off_no_answer_that_has_begun() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut running = Latchkey::on(&app.db.url()).serve_ready().await;
    let browser = logged_in(&running, &ada).await;
    let port = running.origin.rsplit_once(':').unwrap().1.to_owned();
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = format!(
        "GET /home HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        cookies.join("; ")
    );
    let stopping = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (address, request) = (format!("127.0.0.1:{port}"), request.clone());
            let stopping = Arc::clone(&stopping);
            thread::spawn(move || {
                let mut answers = 0;
                // Until the port is closed.
                while let Ok(mut stream) = TcpStream::connect(&address) {
                    let mut answer = String::new();
                    let _ = stream.write_all(request.as_bytes());
                    let _ = stream.read_to_string(&mut answer);
                    // A connection that is still queued when the server stops is closed without a byte.
                    if answer.is_empty() && stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    assert!(
                        answer.starts_with("HTTP/1.1 200 ") && answer.trim_end().ends_with("</html>"),
                        "{answer}"
                    );
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    eventually("load", async || {
        (running.log().iter().filter(|line| line.contains("/home")).count() > 40).then_some(())
    })
    .await;
    stopping.store(true, Ordering::SeqCst);
    running.stop(Signal::SIGTERM).await;
    for client in clients {
        assert!(client.join().unwrap() > 0);
    }
}

// ------------------------------------------------------------------------------ the database goes

#[actix_web::test]
async fn when_connections_are_cut_under_load_requests_get_200_or_503_and_all_is_well_afterwards() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let running =
        Latchkey::on(&app.db.url()).with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s").serve_ready().await;
    let browser = logged_in(&running, &ada).await;
    let load = Load::start(&browser, 4);
    for _ in 0..5 {
        app.db.end_connections();
        load.goes_on().await;
    }
    app.db.cut_off();
    load.is_answered(503).await;
    app.db.restore();
    load.is_answered(200).await;
    let answers = load.end().await;
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    running.browser().get("/readyz").await.is(200);
}

#[actix_web::test]
async fn a_restart_of_the_database_ends_no_session_and_needs_no_restart_of_ours() {
    let dir = DataDir::new();
    let mut options = LocalPostgresOptions::new(dir.path());
    options.settings = &[("fsync", "off")];
    let server = LocalServer::start(&options).unwrap();
    let url = server.maintenance_url();
    let latchkey = Latchkey::on(&url).with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s");
    let running = latchkey.serve_ready().await;
    let path = setup_path(&running).await;
    let mut browser = running.browser();
    set_up(&mut browser, &path, "grace@example.org").await;
    browser.log_in("grace@example.org", PASSWORD).await.redirects_to("/home");
    let load = Load::start(&browser, 3);
    // Fast, then immediate.
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        load.is_answered(200).await;
        kill(dir.postgres().expect("a server"), signal).unwrap();
        load.is_answered(503).await;
        eventually("its end", async || dir.postgres().is_none().then_some(())).await;
        browser.get("/healthz").await.is(200);
        drop(LocalServer::start(&options).unwrap());
        load.is_answered(200).await;
    }
    let answers = load.end().await;
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    browser.get("/home").await.is(200);
    running.browser().get("/readyz").await.is(200);
    drop(running);
    server.stop().unwrap();
}

// ------------------------------------------------------------------------------------- the tools

/// The advisory lock of `db::migrations`.
const MIGRATION_LOCK: i64 = 0x1A7C_4B3E;

pub async fn setup_path(running: &Running) -> String {
    let link = running.logged("\"link\"").await["link"].as_str().unwrap().to_owned();
    link[link.find("/setup?token=").unwrap()..].to_owned()
}

pub fn token(path: &str) -> &str {
    path.rsplit_once("token=").unwrap().1
}

pub async fn set_up(browser: &mut Browser, path: &str, email: &str) {
    let fields = [("token", token(path)), ("name", "Grace Hopper"), ("email", email), ("password", PASSWORD)];
    browser.open(path).await.is(200);
    browser.post("/setup", &fields).await.redirects_to("/login");
}

async fn logged_in(running: &Running, person: &Person) -> Browser {
    let mut browser = running.browser();
    browser.log_in(person.email, person.password).await.redirects_to("/home");
    browser
}

/// A port at which a database can be reached once it is opened.
struct Gate(u16);

impl Gate {
    fn new() -> Self {
        Self(free_port())
    }

    fn url(&self, db: &TestDb) -> String {
        let (name, _) = parts(db);
        format!("postgresql://latchkey@127.0.0.1:{}/{name}?sslmode=disable", self.0)
    }

    fn open(&self, db: &TestDb) {
        let listener = TcpListener::bind(("127.0.0.1", self.0)).unwrap();
        let (_, socket) = parts(db);
        thread::spawn(move || {
            for outside in listener.incoming().map_while(Result::ok) {
                let Ok(inside) = UnixStream::connect(&socket) else { return };
                let (mut from, mut into) = (outside.try_clone().unwrap(), inside.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut into);
                    let _ = into.shutdown(Shutdown::Both);
                });
                let (mut from, mut into) = (inside, outside);
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut into);
                    let _ = into.shutdown(Shutdown::Both);
                });
            }
        });
    }
}

/// The name of a test's database, and the socket of its server.
fn parts(db: &TestDb) -> (String, String) {
    let url = url::Url::parse(&db.url().replace("@/", "@localhost/")).unwrap();
    let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    (url.path()[1..].to_owned(), format!("{}/.s.PGSQL.{}", query("host"), query("port")))
}

/// Browsers that request their page repeatedly until told to stop.
struct Load {
    answers: Rc<std::cell::RefCell<Vec<u16>>>,
    goes_on: Rc<Cell<bool>>,
    browsers: Vec<actix_web::rt::task::JoinHandle<()>>,
}

impl Load {
    fn start(browser: &Browser, number: usize) -> Self {
        let (answers, goes_on) = (Rc::default(), Rc::new(Cell::new(true)));
        let browsers = (0..number)
            .map(|_| {
                let (answers, goes_on) = (Rc::clone(&answers), Rc::clone(&goes_on));
                let mut browser = browser.copy();
                let answers: Rc<std::cell::RefCell<Vec<u16>>> = answers;
                spawn(async move {
                    while goes_on.get() {
                        let status = browser.get("/home").await.status;
                        answers.borrow_mut().push(status);
                    }
                })
            })
            .collect();
        Self { answers, goes_on, browsers }
    }

    async fn goes_on(&self) {
        let before = self.answers.borrow().len();
        eventually("more answers", async || (self.answers.borrow().len() > before + 8).then_some(())).await;
    }

    /// Whether the latest response of each browser has this `status`.
    async fn is_answered(&self, status: u16) {
        let before = self.answers.borrow().len();
        eventually(&format!("{status} for all"), async || {
            let answers = self.answers.borrow();
            let last = answers[before..].iter().rev().take(8);
            (last.len() == 8 && last.into_iter().all(|answer| *answer == status)).then_some(())
        })
        .await;
    }

    async fn end(self) -> Vec<u16> {
        self.goes_on.set(false);
        for browser in self.browsers {
            browser.await.unwrap();
        }
        self.answers.take()
    }
}
