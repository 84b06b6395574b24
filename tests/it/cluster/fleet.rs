//! Three instances of the real program behind nginx on one Postgres, and restarts one after another.

use std::path::Path;
use std::time::Duration;

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;
use nix::sys::signal::Signal;

use super::guard::Guard;
use super::nginx::Nginx;
use crate::history::simulation::unthrottled;
use crate::support::process::{DataDir, Latchkey, Running, free_port};

const INSTANCES: usize = 3;

pub struct Fleet {
    pub url: String,
    pub nginx: Nginx,
    pub programs: Vec<Latchkey>,
    pub running: Vec<Running>,
    /// The port of each instance for decisions.
    pub listeners: Vec<u16>,
    /// Whether every instance is of a version that knows apps. Then there is one behind them in every scene.
    pub knows_apps: bool,
    /// Whether nginx carries the traffic of the app and asks for decisions.
    pub decides: bool,
    /// Pauses between two instances, as an operator does during a rollout.
    pub pause: Duration,
    // In this order: the server is stopped before its directory is removed.
    _server: LocalServer,
    _dir: DataDir,
}

impl Fleet {
    /// All instances of the program at `program`, or of this version.
    pub async fn start(program: Option<&Path>, pause: Duration) -> Self {
        let dir = DataDir::new();
        let settings = &[("fsync", "off"), ("max_connections", "100")];
        let server =
            LocalServer::start(&LocalPostgresOptions { settings, ..LocalPostgresOptions::new(dir.path()) })
                .unwrap_or_else(|error| panic!("{error}"));
        let url = server.maintenance_url();
        // The first instance of the other version applies its own migrations.
        if program.is_none() {
            migrations::run(&url).expect("a schema");
        }
        let ports: Vec<u16> = (0..INSTANCES).map(|_| free_port()).collect();
        let nginx = Nginx::start(&ports).await;
        let first = unthrottled(&url)
            .with("LATCHKEY__SERVER__PUBLIC_URL", nginx.origin())
            .with("LATCHKEY__SERVER__TRUSTED_HOPS", 1);
        let first = match program {
            Some(program) => first.of_version(program),
            None => first,
        };
        // A version without this setting would refuse to start.
        let listeners: Vec<u16> =
            if program.is_none() { ports.iter().map(|_| free_port()).collect() } else { Vec::new() };
        let programs = ports.iter().enumerate().map(|(at, port)| {
            let program = first.clone().at(*port);
            match listeners.get(at) {
                Some(listener) => program.with("LATCHKEY__FRONT__PORT", listener),
                None => program,
            }
        });
        let programs: Vec<Latchkey> = programs.collect();
        let running = join_all(programs.iter().map(Latchkey::serve_ready)).await;
        let knows_apps = programs[0].run(&["app", "--help"]).code == Some(0);
        Self {
            url,
            nginx,
            programs,
            running,
            listeners,
            knows_apps,
            decides: false,
            pause,
            _server: server,
            _dir: dir,
        }
    }

    /// The address of every instance.
    pub fn instances(&self) -> Vec<String> {
        self.programs.iter().map(Latchkey::origin).collect()
    }

    /// From now on, nginx passes requests to the app at this port if the instances let them in.
    pub async fn decide_for(&self, upstream: u16) {
        let ports: Vec<u16> = self.programs.iter().map(|program| program.port).collect();
        let listeners = ports.iter().copied().zip(self.listeners.iter().copied()).collect();
        *self.nginx.guard.borrow_mut() = Some(Guard { upstream, listeners });
        self.nginx.route(&ports, None).await;
    }

    /// Drains, stops, changes and restarts the instances one after another.
    pub async fn roll(&mut self, change: impl Fn(Latchkey) -> Latchkey) {
        for at in 0..self.programs.len() {
            self.replace(at, &change, true).await;
            sleep(self.pause).await;
        }
    }

    /// As in a crash.
    pub async fn crash_in_turn(&mut self) {
        for at in 0..self.programs.len() {
            self.running[at].kill().await;
            sleep(self.pause).await;
            self.running[at] = self.programs[at].serve_ready().await;
            sleep(self.pause).await;
        }
    }

    /// Removes the hosts of apps from the proxy, or restores them. Returns when earlier requests are answered.
    pub async fn serve_apps(&self, serves: bool) {
        let ports: Vec<u16> = self.programs.iter().map(|program| program.port).collect();
        self.nginx.serves_apps.set(serves);
        self.nginx.route(&ports, None).await;
    }

    pub async fn replace(&mut self, at: usize, change: &impl Fn(Latchkey) -> Latchkey, told: bool) {
        let ports: Vec<u16> = self.programs.iter().map(|program| program.port).collect();
        if told {
            self.nginx.route(&ports, Some(ports[at])).await;
        }
        self.running[at].stop(Signal::SIGTERM).await;
        self.programs[at] = change(self.programs[at].clone());
        self.running[at] = self.programs[at].serve_ready().await;
        if told {
            self.nginx.route(&ports, None).await;
        }
    }
}
