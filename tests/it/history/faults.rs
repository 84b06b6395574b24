//! The faults of the simulation, one after another in seeded order: instances and the backends of their listeners are
//! stopped, connections are cut, instances are killed and restarted, Postgres crashes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::{task, time};
use diesel::connection::SimpleConnection as _;
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::actors::World;
use super::rng::Rng;
use crate::support::process::{DataDir, Latchkey, Running, eventually};

/// The application name of the listeners' connections.
pub const KEEPER: &str = "soak_keeper";

pub struct Faults {
    pub world: Rc<World>,
    pub dir: Rc<DataDir>,
    pub url: String,
    pub programs: Vec<Latchkey>,
    pub running: Vec<Option<Running>>,
    pub rng: Rng,
    /// How often each fault happened.
    pub counts: BTreeMap<&'static str, usize>,
}

impl Faults {
    /// Runs until the end, and leaves everything running.
    pub async fn happen(mut self) -> Self {
        let mut turn = self.rng.below(6);
        while !self.world.over.get() {
            time::sleep(self.random_ms(100, 900)).await;
            // In turn, so that a short run includes each of them.
            let what = turn % 6;
            turn += 1;
            let name = match what {
                0 => self.an_instance_stands_still().await,
                1 => self.connections_are_cut("= 'soak_keeper'", "keepers cut off").await,
                2 => self.a_keepers_connection_stands_still().await,
                3 => self.an_instance_is_killed().await,
                4 => self.connections_are_cut("<> 'soak_keeper'", "pools cut off").await,
                _ => self.the_database_crashes().await,
            };
            *self.counts.entry(name).or_default() += 1;
        }
        self
    }

    async fn an_instance_stands_still(&mut self) -> &'static str {
        let at = self.rng.below(self.running.len());
        let pause = self.random_ms(100, 2000);
        if let Some(running) = &self.running[at] {
            running.signal(Signal::SIGSTOP);
        }
        time::sleep(pause).await;
        if let Some(running) = &self.running[at] {
            running.signal(Signal::SIGCONT);
        }
        "instances stopped"
    }

    async fn an_instance_is_killed(&mut self) -> &'static str {
        let at = self.rng.below(self.running.len());
        if let Some(mut running) = self.running[at].take() {
            running.kill().await;
        }
        time::sleep(self.random_ms(0, 500)).await;
        let started = self.programs[at].serve().await;
        self.running[at] = Some(started);
        "instances killed"
    }

    async fn connections_are_cut(&mut self, whose: &str, name: &'static str) -> &'static str {
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND application_name {whose} AND pid <> pg_backend_pid()"
        );
        let url = self.url.clone();
        let _ =
            task::spawn_blocking(move || migrations::connect(&url).map(|mut conn| conn.batch_execute(&cut)))
                .await;
        name
    }

    /// Drops everything silently, as a broken network does.
    async fn a_keepers_connection_stands_still(&mut self) -> &'static str {
        let (pause, which) = (self.random_ms(100, 1500), self.rng.below(3));
        let url = self.url.clone();
        let pids = task::spawn_blocking(move || keepers(&url)).await.unwrap_or_default();
        if let Some(pid) = pids.get(which) {
            let _ = kill(*pid, Signal::SIGSTOP);
            time::sleep(pause).await;
            let _ = kill(*pid, Signal::SIGCONT);
        }
        "keepers' connections stopped"
    }

    async fn the_database_crashes(&mut self) -> &'static str {
        if let Some(pid) = self.dir.postgres() {
            let _ = kill(pid, Signal::SIGQUIT);
        }
        eventually("the end of a server", async || self.dir.postgres().is_none().then_some(())).await;
        time::sleep(self.random_ms(0, 500)).await;
        let dir = self.dir.path().to_owned();
        // The first user of the server stops it at the end.
        task::spawn_blocking(move || drop(start(&dir))).await.expect("a server");
        "databases crashed"
    }

    fn random_ms(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_millis((least + self.rng.below(most - least + 1)) as u64)
    }
}

/// The test's own cluster. Acknowledged commits survive a crash of the server, but not of the machine.
pub fn start(dir: &std::path::Path) -> LocalServer {
    let settings = &[("fsync", "off"), ("max_connections", "100")];
    LocalServer::start(&LocalPostgresOptions { settings, ..LocalPostgresOptions::new(dir) })
        .unwrap_or_else(|error| panic!("{error}"))
}

fn keepers(url: &str) -> Vec<Pid> {
    use diesel::dsl::sql;
    use diesel::sql_types::{Array, Integer};
    use diesel::{RunQueryDsl as _, select};
    let query = format!("ARRAY(SELECT pid FROM pg_stat_activity WHERE application_name = '{KEEPER}')");
    let Ok(mut conn) = migrations::connect(url) else { return Vec::new() };
    let pids: Vec<i32> = select(sql::<Array<Integer>>(&query)).get_result(&mut conn).unwrap_or_default();
    pids.into_iter().map(Pid::from_raw).collect()
}
