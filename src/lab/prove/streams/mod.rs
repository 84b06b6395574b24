//! Revokes sessions whose streams run through an app on several instances, and watches when each client's connection
//! ends. Streams of other sessions must go on; a request that begins meanwhile must end too.

mod app;
mod client;
mod handoff;
mod kind;
mod lasting;
mod report;
mod websocket;

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;

use super::error::{Awaited, ProveError};
use super::http::HttpConnection;
use super::users::{ProbeUser, ProbeUsers, Revocation, Session};

use client::{StreamClient, StreamFate, StreamRequest};
use handoff::enter;
use lasting::going_on;
use report::AnsweredRevocation;

pub use app::{HOST, PAGE, ProbeApp, SLUG};
pub use kind::StreamKind;
pub use report::{RacedOpenings, StreamFailing, StreamReport};

/// A stream that is alive this long after the answer was not ended by the revocation.
pub const ALIVE_AFTER: Duration = Duration::from_millis(500);

/// How many streams are opened around each revocation.
const RACED: u32 = 12;

/// They begin one after the other in twice the time that the last revocation took, within these bounds. The form is
/// sent in its first half, at another moment in each round: some begin before the revocation, some during it, some
/// after it.
const RACE_WINDOW: RangeInclusive<Duration> = Duration::from_millis(8)..=Duration::from_millis(100);
const MOMENTS: u32 = 5;

/// How long streams may take to begin, and downloads to stall.
const TIMEOUT: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(1);

/// The round of streams whose downloads need not be stalled.
const NO_ROUND: u64 = 0;

/// How long to revoke sessions.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    Seconds(u64),
    Revocations(usize),
}

/// Revokes sessions at the instances on these ports, at one after the other.
///
/// # Errors
/// [`ProveError`] if an account or a stream could not be created, or an instance answered wrongly.
pub async fn revoke_with_streams(
    ports: Vec<u16>,
    users: &ProbeUsers,
    extent: Extent,
) -> Result<StreamReport, ProveError> {
    let app = ProbeApp::start().await?;
    users.register(app.registration()?).await?;
    let connections = ports.iter().map(|port| HttpConnection::new(*port)).collect();
    let report = StreamReport::new(ports.len());
    let test = StreamTest { ports, app, connections, report, round: NO_ROUND, last_answered: Duration::ZERO };
    test.run(users, extent).await
}

struct StreamTest {
    ports: Vec<u16>,
    app: ProbeApp,
    /// One connection to each instance.
    connections: Vec<HttpConnection>,
    report: StreamReport,
    round: u64,
    /// How long the last revocation took.
    last_answered: Duration,
}

impl StreamTest {
    async fn run(mut self, users: &ProbeUsers, extent: Extent) -> Result<StreamReport, ProveError> {
        let bystander = users.bystander().await?;
        let others = self.lasting(&bystander.cookie).await?;
        let mut user = users.user(&mut self.connections[0]).await?;
        // Each revocation of another session of the user makes the instances decide these streams again.
        let mut own = self.lasting(user.cookie()).await?;
        let started = Instant::now();
        while !self.is_enough(extent, started) {
            match user.other_sessions.pop() {
                Some(session) => self.revoke(&user, session).await?,
                None => {
                    self.check(own).await;
                    user = users.user(&mut self.connections[0]).await?;
                    own = self.lasting(user.cookie()).await?;
                }
            }
        }
        self.report.seconds = started.elapsed().as_secs_f64();
        self.check(own).await;
        self.check(others).await;
        Ok(self.report)
    }

    fn is_enough(&self, extent: Extent, started: Instant) -> bool {
        match extent {
            Extent::Seconds(seconds) => started.elapsed().as_secs() >= seconds,
            Extent::Revocations(revocations) => {
                let failed = self.report.unanswered + self.report.not_opened;
                self.report.revocations() + failed as usize >= revocations
            }
        }
    }

    /// Opens streams that must last.
    async fn lasting(&mut self, portal: &str) -> Result<Vec<StreamClient>, ProveError> {
        let cookie = enter(&mut self.connections[0], portal).await?;
        self.round += 1;
        let streams = self.open(&cookie);
        if self.have_begun(&streams).await {
            Ok(streams)
        } else {
            Err(ProveError::TimedOut(Awaited::Streaming))
        }
    }

    async fn check(&mut self, streams: Vec<StreamClient>) {
        let count = streams.len();
        let went_on = going_on(streams, &self.app).await;
        self.report.add_unaffected(count, went_on);
    }

    /// Opens one stream of each kind at each instance.
    fn open(&self, cookie: &str) -> Vec<StreamClient> {
        let cookie: Rc<str> = cookie.into();
        let mut streams = Vec::new();
        for kind in StreamKind::ALL {
            for port in &self.ports {
                let request =
                    StreamRequest { port: *port, cookie: Rc::clone(&cookie), kind, round: self.round };
                streams.push(StreamClient::open(request, Duration::ZERO));
            }
        }
        streams
    }

    /// Waits until all have begun and the downloads are stalled. `false` if one is refused, or too slow.
    async fn have_begun(&self, streams: &[StreamClient]) -> bool {
        let opened = Instant::now();
        loop {
            let stalled = self.app.stalled(self.round);
            if streams.iter().all(StreamClient::has_begun) && stalled == self.ports.len() {
                return true;
            }
            let is_over =
                |stream: &StreamClient| !matches!(stream.fate(), StreamFate::Unanswered | StreamFate::Alive);
            if streams.iter().any(is_over) || opened.elapsed() > TIMEOUT {
                return false;
            }
            sleep(PAUSE).await;
        }
    }

    /// Opens streams with the session, revokes it while further ones are opened, and waits until all have ended.
    async fn revoke(&mut self, user: &ProbeUser, session: Session) -> Result<(), ProveError> {
        self.round += 1;
        let instance = (self.round % self.ports.len() as u64) as usize;
        let cookie = enter(&mut self.connections[instance], &session.cookie).await?;
        let streams = self.open(&cookie);
        if !self.have_begun(&streams).await {
            self.report.not_opened += 1;
            return Ok(());
        }
        let window = (2 * self.last_answered).clamp(*RACE_WINDOW.start(), *RACE_WINDOW.end());
        let raced = self.race(&cookie, window);
        sleep(window / 2 * (self.round % u64::from(MOMENTS)) as u32 / MOMENTS).await;
        let was_answered = user.revoke(&session.revocation, &mut self.connections[instance]).await?;
        let Revocation { sent, answered, .. } = &session.revocation;
        let (true, Some(sent), Some(answered)) = (was_answered, sent.get(), answered.get()) else {
            // The session may be revoked now, later or never, so its streams prove nothing.
            self.report.unanswered += 1;
            return Ok(());
        };
        let is_over =
            |stream: &StreamClient| matches!(stream.fate(), StreamFate::Refused | StreamFate::Ended(_));
        while answered.elapsed() < ALIVE_AFTER && !streams.iter().chain(&raced).all(is_over) {
            sleep(PAUSE).await;
        }
        self.last_answered = answered - sent;
        let revocation = AnsweredRevocation { sent, answered, on_clock: self.app.clock(answered) };
        self.report.add(revocation, &streams, &raced);
        Ok(())
    }

    /// Opens further streams, one after the other within `window`, at each instance in turn.
    fn race(&self, cookie: &str, window: Duration) -> Vec<StreamClient> {
        let cookie: Rc<str> = cookie.into();
        let opening = |number: u32| {
            let port = self.ports[number as usize % self.ports.len()];
            let kind = StreamKind::ALL[number as usize / self.ports.len() % StreamKind::ALL.len()];
            let request = StreamRequest { port, cookie: Rc::clone(&cookie), kind, round: NO_ROUND };
            StreamClient::open(request, window * number / RACED)
        };
        (0..RACED).map(opening).collect()
    }
}
