//! The harness: its own Postgres, real programs, and actors who use them during a fault.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use actix_web::rt::{spawn, task, time};
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::codes::Codes;
use super::halves;
use super::outcome::{BACK_WITHIN, Outcome};
use super::side_jobs::{self, Ledger, fill_in};
use crate::history::actors::{Actor, Held, PASSWORD, World};
use crate::history::checker::{Verdict, check, cut_off};
use crate::history::record::{Done, PersonId, Saw, Use};
use crate::history::rng::Rng;
use crate::history::simulation::{admit, name_the_revoked};
use crate::history::wire::Wire;
use crate::support::process::{DataDir, Latchkey, Running, eventually, free_port};

const PEOPLE: usize = 4;
const BROWSERS_EACH: usize = 2;

/// The account that logs in to check recovery; no actor revokes its sessions.
const PROBE: &str = "link299@example.org";

/// How long the load runs undisturbed before and after a fault.
pub const CALM: Duration = Duration::from_millis(1200);

pub type Settings = &'static [(&'static str, &'static str)];

pub struct Harness {
    pub world: Rc<World>,
    pub ledger: Rc<Ledger>,
    /// The database URL without any proxy or pooler.
    pub url: String,
    pub programs: Vec<Latchkey>,
    pub running: Vec<Option<Running>>,
    /// The first user of the server stops it at the end.
    _server: LocalServer,
    pub dir: Rc<DataDir>,
    pub missed: Vec<String>,
    pub notes: Vec<String>,
    pub codes: Option<Rc<Codes>>,
    /// The fault concerns another app: no request to this one may fail.
    pub app_is_undisturbed: bool,
    settings: Settings,
    lives: Vec<JoinHandle<Vec<Held>>>,
    side_jobs: Vec<JoinHandle<()>>,
    begun: Instant,
}

impl Harness {
    /// One program, connected directly to the database.
    pub async fn plain() -> Self {
        Self::new(&[], |program, _| vec![program]).await
    }

    pub async fn new(settings: Settings, programs: impl FnOnce(Latchkey, &str) -> Vec<Latchkey>) -> Self {
        Self::in_dir(DataDir::new(), settings, programs).await
    }

    /// `settings` of the server; `programs` are created from a program on it and its URL.
    pub async fn in_dir(
        dir: DataDir,
        settings: Settings,
        programs: impl FnOnce(Latchkey, &str) -> Vec<Latchkey>,
    ) -> Self {
        let server = start(dir.path().to_owned(), settings).await;
        let url = server.maintenance_url();
        migrations::run(&url).expect("a schema");
        let (people, history) = admit(&url, "p", PEOPLE, 1).await;
        let ledger = Rc::new(Ledger::default());
        side_jobs::hand_out_links(&mut migrations::connect(&url).expect("a connection"), &ledger);
        let first = Latchkey::on(&url)
            .with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s")
            .with("LATCHKEY__SERVER__WORKERS", "2")
            .with("LATCHKEY__THROTTLE__ACCOUNT_FREE", "1000000")
            .with("LATCHKEY__THROTTLE__ADDRESS_FREE", "1000000")
            .with("LATCHKEY__THROTTLE__ASKS_PER_HOUR", "1000000")
            .with("LATCHKEY__THROTTLE__CEREMONIES_PER_HOUR", "1000000")
            // No server listens there: emails wait in the outbox.
            .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", free_port()));
        let programs = programs(first, &url);
        let running = join_all(programs.iter().map(Latchkey::serve_ready)).await;
        let world = Rc::new(World {
            wire: Wire::new(),
            origins: programs.iter().map(Latchkey::origin).collect(),
            people,
            app: OnceCell::new(),
            history: RefCell::new(history),
            revoked: RefCell::default(),
            signed_anew: Cell::new(0),
            over: Cell::new(false),
        });
        Self {
            world,
            ledger,
            _server: server,
            dir: Rc::new(dir),
            url,
            programs,
            running: running.into_iter().map(Some).collect(),
            missed: Vec::new(),
            notes: Vec::new(),
            codes: None,
            app_is_undisturbed: false,
            settings,
            lives: Vec::new(),
            side_jobs: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// Puts an app behind the program, which the users use as well.
    pub async fn open_app(&self) {
        self.world.open_app(&self.url).await;
    }

    /// Starts the load and returns after a while.
    pub async fn live(&mut self) {
        let mut rng = Rng::new(crate::history::seed());
        let world = &self.world;
        let mut actor = |person| Actor::new(world, person, rng.branch());
        for browser in 0..PEOPLE * BROWSERS_EACH {
            self.lives.push(spawn(actor(browser % PEOPLE).live()));
        }
        let admin = actor(PEOPLE);
        let wards: Vec<PersonId> = (0..PEOPLE).collect();
        self.lives.push(spawn(async move { admin.administer(&wards).await }));
        self.side_jobs.push(spawn(side_jobs::register(Rc::clone(world), Rc::clone(&self.ledger))));
        self.side_jobs.push(spawn(side_jobs::reset(Rc::clone(world), Rc::clone(&self.ledger))));
        time::sleep(CALM).await;
    }

    /// Adds a side job that runs until the end.
    pub fn side_job(&mut self, side_job: JoinHandle<()>) {
        self.side_jobs.push(side_job);
    }

    pub fn expect(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.missed.push(what.into());
        }
    }

    /// Waits until every instance is ready, accepts a log-in and knows the session, and the app lets it in. Returns the
    /// time since `since`.
    pub async fn recovers(&mut self, since: Instant) -> Duration {
        loop {
            let served =
                join_all(self.world.origins.iter().map(|origin| is_served(&self.world, origin))).await;
            let took = since.elapsed();
            if served.iter().all(|one| *one) {
                self.expect(took <= BACK_WITHIN, format!("full service only after {took:?}"));
                return took;
            }
            if took > Duration::from_secs(30) {
                self.missed.push(format!("no full service after {took:?}"));
                return took;
            }
            time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The longest wait for an answer to a request with a key.
    pub fn slowest(&self) -> Duration {
        let history = self.world.history.borrow();
        let longest = history.uses.iter().map(|used| used.at.ended - used.at.begun).max();
        Duration::from_micros(longest.unwrap_or_default())
    }

    /// Stops the load, checks everything that was acknowledged, and stops all processes.
    pub async fn judged(mut self, fault: &str, recovered_in: Option<Duration>) -> Outcome {
        time::sleep(CALM).await;
        self.world.over.set(true);
        for side_job in self.side_jobs.drain(..) {
            side_job.await.expect("a side job");
        }
        let held: Vec<Held> =
            join_all(self.lives.drain(..)).await.into_iter().flat_map(|kept| kept.expect("a life")).collect();
        for running in self.running.iter().flatten() {
            running.ready().await;
        }
        let in_app = self.world.app.get().map(|site| site.remaining.take()).unwrap_or_default();
        for origin in &self.world.origins {
            for key in &held {
                self.world.look(key, origin).await;
            }
            for key in &in_app {
                self.world.look_at_app(key, origin).await;
            }
        }
        self.world.compare_with_app().await;
        let mut outcome = Outcome { recovered_in, ..Outcome::default() }.named(fault);
        let ends = name_the_revoked(&self.world, &self.url);
        self.world.history.borrow_mut().ends.extend(ends);
        let mut history = self.world.history.take();
        for log_in in &mut history.log_ins {
            log_in.at.ended = log_in.at.ended.min(self.world.wire.now());
        }
        let Verdict { served_after, lost, stale } = check(&history);
        outcome.wrong.extend(served_after);
        outcome.wrong.extend(history.unexpected.iter().cloned());
        let bugs = self.running.iter().flatten().flat_map(Running::log);
        let bugs = bugs.filter(|line| line.contains("\"level\":\"ERROR\"") || line.contains("panicked"));
        outcome.wrong.extend(bugs);
        outcome.lost.extend(lost);
        outcome.lost.extend(stale);
        let trail = self.programs[0].clone().with("DATABASE_URL", &self.url).run(&["audit", "verify"]);
        if trail.code != Some(0) {
            outcome.wrong.push(format!("the trail: {}{}", trail.out, trail.err));
        }
        let served = history.uses.iter().filter(|used| matches!(used.saw, Saw::In(_))).count();
        let nothing = history.uses.iter().filter(|used| used.saw == Saw::Nothing).count();
        let yes = |done: &Done| *done == Done::Yes;
        outcome.load = format!(
            "{served} pages, {} log-ins, {} ends, {} registrations, {} links; {nothing} turned away",
            history.log_ins.iter().filter(|one| yes(&one.done)).count(),
            history.ends.iter().filter(|one| yes(&one.done)).count(),
            self.ledger.registered.borrow().iter().filter(|one| yes(&one.1)).count(),
            self.ledger.resets.borrow().iter().flatten().filter(|one| yes(one)).count(),
        );
        if let Some(site) = self.world.app.get() {
            let in_app = |used: &&Use| history.app_keys.contains_key(&used.key);
            let pages =
                history.uses.iter().filter(in_app).filter(|used| matches!(used.saw, Saw::In(_))).count();
            let _ = write!(
                outcome.load,
                "; app: {pages} requests, {} of them forms, by {} keys, {} by visitors",
                site.answered_posts(),
                history.app_keys.len(),
                site.opened.get()
            );
            // The app itself works.
            let tally = site.wire.tally();
            let fits = |why: &str| ["no answer", "503"].contains(&why);
            let others = tally.failed.iter().filter(|((_, why), _)| !fits(why));
            outcome.wrong.extend(others.map(|((method, why), count)| format!("app: {count} {method} {why}")));
            if self.app_is_undisturbed && tally.all_failed() > cut_off(&history) {
                outcome.missed.push(format!("requests to the app failed: {:?}", tally.failed));
            }
            if pages < 10 {
                outcome.missed.push("the app was hardly used".into());
            }
        }
        let mut conn = migrations::connect(&self.url).expect("a connection");
        side_jobs::judge(&mut conn, &self.ledger, &mut outcome);
        halves::judge(&mut conn, &mut outcome);
        if let Some(codes) = &self.codes {
            codes.judge(&mut conn, &mut outcome);
        }
        if served < 20 && !history.uses.is_empty() {
            outcome.missed.push("too little load".into());
        }
        outcome.missed.append(&mut self.missed);
        outcome.notes.append(&mut self.notes);
        println!("{fault}: {:.0} s", self.begun.elapsed().as_secs_f64());
        outcome
    }

    // ------------------------------------------------------------------------------ the database

    pub fn execute(&self, statements: &str) {
        let mut conn = migrations::connect(&self.url).expect("a connection");
        conn.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Sends this signal to the server and returns when it has ended.
    pub async fn stop_postgres(&self, signal: Signal) {
        kill(self.dir.postgres().expect("a server"), signal).expect("a signal");
        eventually("the end of a server", async || self.dir.postgres().is_none().then_some(())).await;
    }

    /// Returns when the server accepts connections.
    pub async fn start_postgres(&self) {
        drop(start(self.dir.path().to_owned(), self.settings).await);
    }

    /// The server processes with a client.
    pub fn backends(&self) -> Vec<Pid> {
        let url = &self.url;
        let query = "SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let mut conn = migrations::connect(url).expect("a connection");
        let pids = super::rows(&mut conn, query);
        pids.iter().map(|pid| Pid::from_raw(pid.parse().expect("a number"))).collect()
    }
}

async fn is_served(world: &World, origin: &str) -> bool {
    if world.wire.get(&format!("{origin}/readyz"), "").await.status != Some(200) {
        return false;
    }
    let fields = [("email", PROBE), ("password", PASSWORD)];
    let Some(reply) = fill_in(world, origin, "/login", &fields).await else { return false };
    let Some(cookie) = reply.cookie("latchkey") else { return false };
    if !reply.leads_to("/home")
        || world.wire.get(&format!("{origin}/home"), &cookie).await.status != Some(200)
    {
        return false;
    }
    match world.app.get() {
        Some(site) => site.lets_in(world, origin, &cookie).await,
        None => true,
    }
}

pub async fn start(dir: PathBuf, settings: Settings) -> LocalServer {
    let started = task::spawn_blocking(move || {
        let mut all = vec![("fsync", "off")];
        all.extend(settings);
        LocalServer::start(&LocalPostgresOptions { settings: &all, ..LocalPostgresOptions::new(&dir) })
    });
    started.await.expect("a thread").unwrap_or_else(|error| panic!("{error}"))
}
