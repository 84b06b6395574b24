//! Open websockets of the app during a rolling restart: each client gets a Close frame in time, and may connect again.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::task::{self, JoinHandle};
use actix_web::rt::time::sleep;
use futures_util::future::join_all;

use super::fleet::Fleet;
use crate::history::actors::{Actor, World};
use crate::history::rng::Rng;
use crate::proxy::harness::End;
use crate::websockets::client::{Frame, WebSocket};

/// "Going away" (RFC 6455 §7.4.1): the client may connect again at once.
const GOING_AWAY: u16 = 1001;

/// How soon the Close frame must come after SIGTERM. Later, a platform may kill the process.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// At each instance, and through the proxy.
const MANY: usize = 10;

/// After this many silences of 20 s, a websocket counts as forgotten.
const SILENCES: usize = 3;

/// How the websockets were closed.
#[derive(Default)]
pub struct Told {
    count: usize,
    slowest: Duration,
    pub misses: Vec<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slowest = self.slowest.as_secs_f64();
        write!(f, "{} websockets, closed with {GOING_AWAY} within {slowest:.2} s", self.count)
    }
}

/// Websockets, each of whose ends is waited for: the code of its Close frame, and when that came.
struct Tunnels(Vec<JoinHandle<(Option<u16>, Instant)>>);

/// Restarts the instances one after another with SIGTERM, without draining them at the proxy.
pub async fn roll(fleet: &mut Fleet, world: &Rc<World>) -> Told {
    let through_proxy = Tunnels::open(world, fleet.nginx.port).await;
    let mut told = Told::default();
    for at in 0..fleet.programs.len() {
        let tunnels = Tunnels::open(world, fleet.programs[at].port).await;
        let begun = Instant::now();
        fleet.replace(at, &|same| same, false).await;
        for (code, when) in tunnels.ends().await {
            told.add("at an instance", code, when - begun);
        }
        sleep(fleet.pause).await;
    }
    for (code, _) in through_proxy.ends().await {
        told.add("through the proxy", code, Duration::ZERO);
    }
    told
}

impl Told {
    fn add(&mut self, which: &str, code: Option<u16>, after: Duration) {
        self.count += 1;
        self.slowest = self.slowest.max(after);
        if code != Some(GOING_AWAY) || after > TOLD_WITHIN {
            self.misses.push(format!("a websocket {which} was closed with {code:?} after {after:?}"));
        }
    }
}

impl Tunnels {
    /// An administrator, whose session no actor ends, enters the app at `port` and opens websockets there.
    async fn open(world: &Rc<World>, port: u16) -> Self {
        let mut actor = Actor::new(world, world.people.len() - 1, Rng::new(u64::from(port)));
        let held = loop {
            match actor.held.clone() {
                Some(held) => break held,
                // On a busy machine, an answer may come too late.
                None => actor.log_in().await,
            }
        };
        let site = world.app.get().expect("an app");
        let origin = format!("http://localhost:{port}");
        let key = site.enter(world, &origin, &held.cookie).await.expect("a key of the app");
        let headers = format!("Origin: http://{}\r\nCookie: {key}\r\n", site.host);
        let opening = (0..MANY).map(|_| {
            let (host, headers) = (site.host, headers.clone());
            task::spawn_blocking(move || open(port, host, &headers))
        });
        let opened = join_all(opening).await.into_iter().map(|socket| socket.expect("an open websocket"));
        Self(opened.map(|socket| task::spawn_blocking(move || end_of(socket))).collect())
    }

    async fn ends(self) -> Vec<(Option<u16>, Instant)> {
        join_all(self.0).await.into_iter().map(|end| end.expect("a thread")).collect()
    }
}

/// A websocket that works.
fn open(port: u16, host: &str, headers: &str) -> WebSocket {
    let opened = WebSocket::open(port, host, "/socket", headers);
    let mut socket = opened.unwrap_or_else(|answer| panic!("{answer:?}"));
    socket.send(&Frame::text("hello"));
    assert_eq!(socket.read(), Ok(Frame::text("hello")));
    socket
}

fn end_of(mut socket: WebSocket) -> (Option<u16>, Instant) {
    for _ in 0..SILENCES {
        match socket.read() {
            Ok(frame) => {
                if let Some(code) = frame.close_code() {
                    let told = Instant::now();
                    socket.send(&frame);
                    return (Some(code), told);
                }
            }
            Err(End::Open) => {}
            Err(_) => break,
        }
    }
    (None, Instant::now())
}
