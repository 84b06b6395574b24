//! Starts the cluster, the instances and the actors, runs them for a while, and summarises the results.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{spawn, task::JoinHandle, time};
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel::{RunQueryDsl as _, select};
use futures_util::future::join_all;
use latchkey::db::local::LocalServer;
use latchkey::db::migrations;
use latchkey::passwords::{Hasher, Password};
use uuid::Uuid;

use super::actors::{Actor, Held, PASSWORD, Person, World, agent};
use super::checker::{Verdict, check, cut_off};
use super::faults::{Faults, KEEPER, start};
use super::record::{Done, End, Ended, Field, History, PersonId, Saw, Span, Write};
use super::rng::Rng;
use super::wire::Wire;
use crate::support::app::CHEAP;
use crate::support::process::{DataDir, Latchkey};

const PEOPLE: usize = 6;
const BROWSERS_EACH: usize = 4;
const ADMINS: usize = 2;
const INSTANCES: usize = 3;

pub struct Simulation {
    seed: u64,
    world: Rc<World>,
    faults: Faults,
    server: LocalServer,
    url: String,
}

pub struct Summary {
    seed: u64,
    pub verdict: Verdict,
    pub unexpected: Vec<String>,
    counts: BTreeMap<&'static str, usize>,
    pub requests: usize,
    pub activity: Activity,
    /// Requests to the app that were cut off with their key.
    pub cut_off: usize,
    nothing: usize,
    pub log_ins: usize,
    unknown: usize,
    writes: usize,
    slowest: Duration,
}

/// What the actors have done so far.
pub struct Activity {
    pub served: usize,
    /// Requests that reached the app.
    pub served_in_app: usize,
    /// Events of streams that arrived.
    pub events: usize,
    pub entered: usize,
    pub ended: usize,
}

impl Simulation {
    pub async fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let dir = Rc::new(DataDir::new());
        let server = start(dir.path());
        let url = server.maintenance_url();
        migrations::run(&url).expect("a schema");
        let first = unthrottled(&url)
            .with("LATCHKEY__DATABASE__DIRECT_URL", format!("{url}&application_name={KEEPER}"))
            .with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s");
        let mut programs = vec![first.clone()];
        programs.extend((1..INSTANCES).map(|_| first.on_another_port()));
        let running = join_all(programs.iter().map(Latchkey::serve_ready)).await;
        let origins = programs.iter().map(Latchkey::origin).collect();
        let world = world(&url, "p", origins).await;
        world.open_app(&url).await;
        let faults = Faults {
            world: Rc::clone(&world),
            dir,
            url: url.clone(),
            programs,
            running: running.into_iter().map(Some).collect(),
            rng: rng.branch(),
            counts: BTreeMap::new(),
        };
        Self { seed, world, faults, server, url }
    }

    /// For `time`, and on a slow machine until enough has happened to judge, at most ten times as long.
    pub async fn live_for(self, time: Duration) -> Summary {
        let Self { seed, world, faults, server, url } = self;
        println!("SOAK_SEED={seed}");
        let mut rng = Rng::new(seed ^ 1);
        let lives = lives(&world, &mut rng);
        let faults = spawn(faults.happen());
        time::sleep(time).await;
        let deadline = Instant::now() + 9 * time;
        while !Activity::of(&world).is_enough() && Instant::now() < deadline {
            time::sleep(Duration::from_secs(1)).await;
        }
        world.over.set(true);
        let faults = faults.await.expect("faults");
        let held: Vec<Vec<Held>> =
            join_all(lives).await.into_iter().map(|kept| kept.expect("a life")).collect();
        // After the faults, every remaining key is tried on every instance.
        for running in faults.running.iter().flatten() {
            running.ready().await;
        }
        let in_app = world.app.get().map(|site| site.remaining.take()).unwrap_or_default();
        for origin in &world.origins {
            for key in held.iter().flatten() {
                world.look(key, origin).await;
            }
            for key in &in_app {
                world.look_at_app(key, origin).await;
            }
        }
        world.compare_with_app().await;
        let ends = name_the_revoked(&world, &url);
        world.history.borrow_mut().ends.extend(ends);
        let summary = Summary::of(seed, &world, faults.counts.clone());
        let dir = Rc::clone(&faults.dir);
        drop(faults);
        server.stop().expect("an orderly end");
        drop(dir);
        summary
    }
}

/// A deployed instance without throttling.
pub fn unthrottled(url: &str) -> Latchkey {
    Latchkey::on(url)
        .with("LATCHKEY__SERVER__WORKERS", "2")
        .with("LATCHKEY__THROTTLE__ACCOUNT_FREE", "1000000")
        .with("LATCHKEY__THROTTLE__ADDRESS_FREE", "1000000")
}

/// With its own users, whose addresses begin with `name`.
pub async fn world(url: &str, name: &str, origins: Vec<String>) -> Rc<World> {
    let (people, history) = admit(url, name, PEOPLE, ADMINS).await;
    Rc::new(World {
        wire: Wire::new(),
        origins,
        people,
        app: OnceCell::new(),
        history: RefCell::new(history),
        revoked: RefCell::default(),
        signed_anew: Cell::new(0),
        over: Cell::new(false),
    })
}

/// Runs every browser and every administrator until the end, and returns their remaining keys.
pub fn lives(world: &Rc<World>, rng: &mut Rng) -> Vec<JoinHandle<Vec<Held>>> {
    let mut actor = |person| Actor::new(world, person, rng.branch());
    let mut lives = Vec::new();
    for browser in 0..PEOPLE * BROWSERS_EACH {
        lives.push(spawn(actor(browser % PEOPLE).live()));
    }
    for admin in 0..ADMINS {
        let wards: Vec<PersonId> = (0..PEOPLE).filter(|ward| ward % ADMINS == admin).collect();
        let admin = actor(PEOPLE + admin);
        lives.push(spawn(async move { admin.administer(&wards).await }));
    }
    lives
}

/// Users and administrators, and their initial state.
pub async fn admit(url: &str, name: &str, members: usize, admins: usize) -> (Vec<Person>, History) {
    let hasher = Hasher::new(CHEAP, 4, 64).expect("a hasher");
    let password = Password::given(PASSWORD).expect("a password");
    let hash = hasher.hash(password).await.expect("a hash");
    let mut conn = migrations::connect(url).expect("a connection");
    let (mut people, mut history) = (Vec::new(), History::default());
    for person in 0..members + admins {
        let (id, email) = (Uuid::new_v4().to_string(), format!("{name}{person}@example.org"));
        let role = if person < members { "member" } else { "admin" };
        conn.batch_execute(&format!(
            "INSERT INTO users (id, email, email_key, name, role, password_hash) \
             VALUES ('{id}', '{email}', '{email}', 'Ada', '{role}', '{}')",
            hash.as_str()
        ))
        .expect("a person");
        people.push(Person { id, email });
        for (field, value) in [(Field::Name, "Ada"), (Field::Role, role), (Field::Enabled, "true")] {
            let at = Span { begun: 0, ended: 0 };
            history.writes.push(Write { person, field, value: value.into(), at, done: Done::Yes });
        }
    }
    (people, history)
}

/// The rows say which log-in a handle belongs to.
pub fn name_the_revoked(world: &World, url: &str) -> Vec<End> {
    let mut conn = migrations::connect(url).expect("a connection");
    let rows: String = select(sql::<Text>(
        "(SELECT coalesce(string_agg(handle || ' ' || user_agent, ','), '') FROM sessions)",
    ))
    .get_result(&mut conn)
    .expect("the rows");
    let agents: HashMap<&str, &str> = rows.split(',').filter_map(|row| row.split_once(' ')).collect();
    let sessions: HashMap<String, usize> =
        (0..world.history.borrow().log_ins.len()).map(|session| (agent(session), session)).collect();
    let revoked = world.revoked.take();
    let named = revoked.into_iter().map(|(handle, at, done)| {
        let session = sessions[agents[handle.as_str()]];
        End { what: Ended::Session(session), at, done }
    });
    named.collect()
}

impl Activity {
    pub fn of(world: &World) -> Self {
        let history = world.history.borrow();
        let served = || history.uses.iter().filter(|used| matches!(used.saw, Saw::In(_)));
        Self {
            served: served().count(),
            served_in_app: served().filter(|used| history.app_keys.contains_key(&used.key)).count(),
            events: world.app.get().map_or(0, |site| site.events.get()),
            entered: history.app_keys.len(),
            ended: history.ends.iter().filter(|end| end.done == Done::Yes).count(),
        }
    }

    pub fn is_enough(&self) -> bool {
        let Self { served, served_in_app, events, entered, ended } = *self;
        served > 100 && ended > 10 && entered > 5 && served_in_app > 20 && events > 20
    }
}

impl Summary {
    pub fn of(seed: u64, world: &World, counts: BTreeMap<&'static str, usize>) -> Self {
        let activity = Activity::of(world);
        let mut history = world.history.borrow_mut();
        // Requests without a recorded result.
        for log_in in &mut history.log_ins {
            log_in.at.ended = log_in.at.ended.min(world.wire.now());
        }
        let slowest = history.ends.iter().filter(|end| end.done == Done::Yes);
        let slowest = slowest.map(|end| end.at.ended - end.at.begun).max().unwrap_or_default();
        Self {
            seed,
            verdict: check(&history),
            unexpected: history.unexpected.clone(),
            counts,
            requests: history.uses.len(),
            activity,
            cut_off: cut_off(&history),
            nothing: history.uses.iter().filter(|used| used.saw == Saw::Nothing).count(),
            log_ins: history.log_ins.iter().filter(|log_in| log_in.done == Done::Yes).count(),
            unknown: history.ends.iter().filter(|end| end.done == Done::Unknown).count(),
            writes: history.writes.len(),
            slowest: Duration::from_micros(slowest),
        }
    }

    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.unexpected.is_empty()
    }

    pub fn faults(&self) -> usize {
        self.counts.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { served_after, lost, stale } = &self.verdict;
        let Activity { served, served_in_app, events, entered, ended } = self.activity;
        writeln!(f, "seed {}", self.seed)?;
        writeln!(
            f,
            "{} requests with a key: {} served, {} without an answer; {} log-ins, {} writes",
            self.requests, served, self.nothing, self.log_ins, self.writes
        )?;
        writeln!(
            f,
            "{} entries into the app, which served {} of these, {} of them as events of a stream",
            entered, served_in_app, events
        )?;
        writeln!(
            f,
            "{} revocations and rotations answered, the slowest after {:?}; {} of unknown outcome",
            ended, self.slowest, self.unknown
        )?;
        writeln!(f, "{} faults: {:?}", self.faults(), self.counts)?;
        writeln!(
            f,
            "served after revocation = {}, lost = {}, stale = {}, unexpected = {}",
            served_after.len(),
            lost.len(),
            stale.len(),
            self.unexpected.len()
        )?;
        for line in
            [served_after, lost, stale, &self.unexpected].into_iter().flat_map(|lines| lines.iter().take(10))
        {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
