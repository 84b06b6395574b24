//! A second app besides that of the load: a program that is killed, stopped and started again, or a script that sends
//! malformed responses; and a crowd of visitors who use it all the time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::{spawn, task::JoinHandle, time};
use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::Harness;
use crate::history::wire::{Ask, Reply, Wire};
use crate::support::process::{DataDir, Latchkey, eventually, free_port};

/// The demo app as a process. It is killed with this value.
pub struct Demo {
    port: u16,
    child: Option<Child>,
}

impl Demo {
    pub async fn start() -> Self {
        let mut demo = Self { port: free_port(), child: None };
        demo.start_again().await;
        demo
    }

    pub async fn start_again(&mut self) {
        let dir = DataDir::new();
        let port = self.port.to_string();
        let mut command = Latchkey::local(&dir).command(&["app", "demo", "--port", &port]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("the program"));
        let port = self.port;
        eventually("the demo app", async || TcpStream::connect(("127.0.0.1", port)).ok().map(drop)).await;
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a running app");
        kill(Pid::from_raw(i32::try_from(child.id()).expect("a process id")), signal).expect("a signal");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Registers an app that lets everyone in, as an operator does, while the program serves.
pub fn register(harness: &Harness, slug: &str, upstream: &str, max_in_flight: usize) {
    let file = harness.dir.path().join(format!("{slug}.toml"));
    let text = format!(
        "[apps.{slug}]\norigins = [\"http://{slug}.localhost:8080\"]\nupstream = \"{upstream}\"\n\
         head = \"{}s\"\nidle = \"{}s\"\nmax_in_flight = {max_in_flight}\n\
         [[apps.{slug}.rules]]\nall = true\naccess = \"open\"\n",
        HEAD.as_secs(),
        HEAD.as_secs()
    );
    fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path");
    let applied = harness.programs[0].run(&["app", "apply", file]);
    assert_eq!(applied.code, Some(0), "{}{}", applied.out, applied.err);
}

/// How long the app may take for a head, and between two parts of a body.
pub const HEAD: Duration = Duration::from_secs(1);

/// Between two requests of a visitor: many visitors must not take the processor from others.
const PAUSE: Duration = Duration::from_millis(250);

/// Visitors who request the start page again and again, and the responses they got.
pub struct Crowd {
    host: String,
    origin: String,
    pub wire: Wire,
    over: Cell<bool>,
    told: RefCell<BTreeMap<String, usize>>,
}

impl Crowd {
    pub fn of(harness: &Harness, slug: &str) -> Rc<Self> {
        Rc::new(Self {
            host: format!("{slug}.localhost:8080"),
            origin: harness.world.origins[0].clone(),
            wire: harness.world.wire.counting_apart(),
            over: Cell::new(false),
            told: RefCell::default(),
        })
    }

    pub fn gather(self: &Rc<Self>, many: usize) -> Vec<JoinHandle<()>> {
        (0..many).map(|_| spawn(Rc::clone(self).stay())).collect()
    }

    async fn stay(self: Rc<Self>) {
        while !self.over.get() {
            let reply = self.get("/").await;
            let what = reply.status.map_or("no answer".to_owned(), |status| status.to_string());
            *self.told.borrow_mut().entry(what).or_default() += 1;
            time::sleep(PAUSE).await;
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.wire.ask(Ask::page(&format!("{}{path}", self.origin), "").at(&self.host)).await
    }

    /// Sends a form with these fields.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let own = format!("http://{}", self.host);
        let url = format!("{}{path}", self.origin);
        self.wire.ask(Ask::form(&url, "", fields).at(&self.host).from(&own)).await
    }

    /// The number of responses that the crowd got since the last call, by status.
    pub fn told(&self) -> BTreeMap<String, usize> {
        self.told.take()
    }

    pub async fn leaves(&self, crowd: Vec<JoinHandle<()>>) {
        self.over.set(true);
        join_all(crowd).await;
    }

    /// Waits until the app answers.
    pub async fn is_served(&self) {
        eventually("an app that answers again", async || {
            (self.get("/").await.status == Some(200)).then_some(())
        })
        .await;
    }
}
