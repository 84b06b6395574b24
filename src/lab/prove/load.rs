//! Clients that keep sending requests to each instance while sessions are revoked; every answer is checked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;

use super::ProveError;
use super::error::Awaited;
use super::http::HttpConnection;
use super::report::{ProbeCounts, RevocationReport};
use super::users::{ProbeUser, ProbeUsers, Session};

/// Clients of each instance. Each keeps its connection.
const CLIENTS_PER_INSTANCE: usize = 4;

/// The pause of a client after each answer. Without it, a small machine would measure how long requests wait for a
/// processor. With it, an instance still gets several thousand requests a second.
const PAUSE: Duration = Duration::from_millis(1);

/// One in this many requests is for a session that was revoked a while ago, and one for a session that is never
/// revoked.
const CYCLE: usize = 8;

/// How many revoked sessions are still checked.
const REVOKED_KEPT: usize = 64;

/// How long an instance may take to serve or to refuse a session.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The same, once a revoked session was served: the result is clear, so the test does not wait long.
const TIMEOUT_WHEN_DISPROVEN: Duration = Duration::from_secs(1);

pub struct Load {
    ports: Vec<u16>,
    bystander: Rc<WatchedSession>,
    current: RefCell<Option<Rc<WatchedSession>>>,
    revoked: RefCell<Vec<Rc<WatchedSession>>>,
    pub counts: ProbeCounts,
    done: Cell<bool>,
}

/// A session, and what each instance answered to it.
struct WatchedSession {
    session: Session,
    by_instance: Vec<Answers>,
}

#[derive(Default)]
struct Answers {
    served: Cell<usize>,
    first_refused: Cell<Option<Instant>>,
    /// Refusals of requests that started after the revocation was answered.
    refused_after: Cell<usize>,
}

fn increment(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

impl WatchedSession {
    fn new(session: Session, instances: usize) -> Rc<Self> {
        Rc::new(Self { session, by_instance: (0..instances).map(|_| Answers::default()).collect() })
    }
}

impl Load {
    pub fn new(ports: Vec<u16>, bystander: Session) -> Self {
        let bystander = WatchedSession::new(bystander, ports.len());
        let (current, revoked) = (RefCell::default(), RefCell::default());
        Self { ports, bystander, current, revoked, counts: ProbeCounts::default(), done: Cell::new(false) }
    }

    /// Revokes sessions for this many seconds, at each instance in turn.
    pub async fn run(
        self: Rc<Self>,
        users: ProbeUsers,
        seconds: u64,
    ) -> Result<RevocationReport, ProveError> {
        let clients = self.ports.len() * CLIENTS_PER_INSTANCE;
        let clients: Vec<JoinHandle<()>> =
            (0..clients).map(|client| spawn(Rc::clone(&self).send_requests(client))).collect();
        let mut connections: Vec<HttpConnection> =
            self.ports.iter().map(|port| HttpConnection::new(*port)).collect();
        let mut report = RevocationReport::new(self.ports.len(), CLIENTS_PER_INSTANCE);
        let mut user = users.user(&mut connections[0]).await?;
        let started = Instant::now();
        let mut revoking = 0;
        while started.elapsed().as_secs() < seconds {
            match user.other_sessions.pop() {
                Some(session) => {
                    let http = &mut connections[revoking];
                    self.revoke(&user, session, revoking, http, &mut report).await?;
                    revoking = (revoking + 1) % self.ports.len();
                }
                None => user = users.user(&mut connections[revoking]).await?,
            }
        }
        report.seconds = started.elapsed().as_secs_f64();
        self.done.set(true);
        for client in clients {
            client.await.map_err(std::io::Error::other)?;
        }
        report.add_counts(&self.counts);
        Ok(report)
    }

    /// Waits until every instance serves the session from memory, revokes it at one of them, and waits until all of
    /// them refuse it.
    async fn revoke(
        &self,
        user: &ProbeUser,
        session: Session,
        revoking: usize,
        http: &mut HttpConnection,
        report: &mut RevocationReport,
    ) -> Result<(), ProveError> {
        let watched = WatchedSession::new(session, self.ports.len());
        *self.current.borrow_mut() = Some(Rc::clone(&watched));
        self.wait_until(Awaited::Serving, &watched, |answers| answers.served.get() >= 2).await?;
        if !user.revoke(&watched.session, http).await? {
            // The session may be revoked now, later or never, so its requests prove nothing.
            report.unanswered += 1;
            return Ok(());
        }
        self.wait_until(Awaited::Refusing, &watched, |answers| answers.refused_after.get() >= 2).await?;
        let refusals = watched.by_instance.iter().filter_map(|answers| answers.first_refused.get());
        report.add_revocation(&watched.session, revoking, refusals);
        let mut revoked = self.revoked.borrow_mut();
        revoked.push(watched);
        let surplus = revoked.len().saturating_sub(REVOKED_KEPT);
        revoked.drain(..surplus);
        Ok(())
    }

    async fn wait_until(
        &self,
        awaited: Awaited,
        watched: &WatchedSession,
        shown: impl Fn(&Answers) -> bool,
    ) -> Result<(), ProveError> {
        let started = Instant::now();
        while !watched.by_instance.iter().all(&shown) {
            let disproven = self.counts.served_after_answer.get() > 0;
            if disproven && started.elapsed() > TIMEOUT_WHEN_DISPROVEN {
                return Ok(());
            }
            if started.elapsed() > TIMEOUT {
                return Err(ProveError::TimedOut(awaited));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn send_requests(self: Rc<Self>, client: usize) {
        let instance = client % self.ports.len();
        let mut http = HttpConnection::new(self.ports[instance]);
        let mut turn = client;
        while !self.done.get() {
            turn += 1;
            if let Some(watched) = self.choose(turn) {
                self.send_request(&mut http, instance, &watched).await;
            }
            sleep(PAUSE).await;
        }
    }

    fn choose(&self, turn: usize) -> Option<Rc<WatchedSession>> {
        let revoked = self.revoked.borrow();
        match turn % CYCLE {
            0 => Some(Rc::clone(&self.bystander)),
            1 if !revoked.is_empty() => Some(Rc::clone(&revoked[turn / CYCLE % revoked.len()])),
            _ => self.current.borrow().clone(),
        }
    }

    async fn send_request(&self, http: &mut HttpConnection, instance: usize, watched: &WatchedSession) {
        let (session, answers) = (&watched.session, &watched.by_instance[instance]);
        // Read when the request starts, because a later revocation must not count.
        let revoked = session.answered.get().is_some();
        let answer = http.get("/home", &session.cookie).await;
        increment(&self.counts.requests);
        if revoked {
            increment(&self.counts.begun_after_answer);
        }
        match answer {
            Ok(answer) if answer.status == 200 => {
                answers.served.set(answers.served.get() + 1);
                if revoked {
                    increment(&self.counts.served_after_answer);
                }
            }
            Ok(answer) if answer.leads_to("/login") => {
                if session.sent.get().is_none() {
                    increment(&self.counts.refused_while_live);
                }
                answers.first_refused.set(answers.first_refused.get().or_else(|| Some(Instant::now())));
                answers.refused_after.set(answers.refused_after.get() + usize::from(revoked));
            }
            _ => increment(&self.counts.failed),
        }
    }
}
