//! Clients that keep sending requests to each instance while sessions or tokens are revoked; every answer is checked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;

use super::ProveError;
use super::credential::{CredentialKind, ProbeCredential};
use super::error::Awaited;
use super::http::HttpConnection;
use super::report::{ProbeCounts, RevocationReport};
use super::users::{ProbeUser, ProbeUsers};

/// Clients of each instance. Each keeps its connection.
const CLIENTS_PER_INSTANCE: usize = 4;

/// The pause of a client after each answer. Without it, a small machine would measure how long requests wait for a
/// processor. With it, an instance still gets several thousand requests a second.
const PAUSE: Duration = Duration::from_millis(1);

/// One in this many requests is for a session or token that was revoked a while ago, and one for one that is never
/// revoked.
const CYCLE: usize = 8;

/// How many of those that were revoked are still checked.
const REVOKED_KEPT: usize = 64;

/// How long an instance may take to serve or to refuse a session or token.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The same, once a revoked one was served: the result is clear, so the test does not wait long.
const TIMEOUT_WHEN_DISPROVEN: Duration = Duration::from_secs(1);

pub struct Load {
    kind: CredentialKind,
    ports: Vec<u16>,
    bystander: Rc<WatchedCredential>,
    current: RefCell<Option<Rc<WatchedCredential>>>,
    revoked: RefCell<Vec<Rc<WatchedCredential>>>,
    pub counts: ProbeCounts,
    done: Cell<bool>,
}

/// A session or token, and what each instance answered to it.
struct WatchedCredential {
    credential: ProbeCredential,
    by_instance: Vec<Answers>,
}

#[derive(Default)]
struct Answers {
    served: Cell<usize>,
    first_refused: Cell<Option<Instant>>,
    /// Refusals of requests that started after the revocation was answered.
    refused_after: Cell<usize>,
}

impl Answers {
    fn note_refusal(&self) {
        self.first_refused.set(self.first_refused.get().or_else(|| Some(Instant::now())));
    }
}

fn increment(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

impl WatchedCredential {
    fn new(credential: ProbeCredential, instances: usize) -> Rc<Self> {
        Rc::new(Self { credential, by_instance: (0..instances).map(|_| Answers::default()).collect() })
    }
}

impl Load {
    pub fn new(kind: CredentialKind, ports: Vec<u16>, bystander: ProbeCredential) -> Self {
        let bystander = WatchedCredential::new(bystander, ports.len());
        let (current, revoked) = (RefCell::default(), RefCell::default());
        Self {
            kind,
            ports,
            bystander,
            current,
            revoked,
            counts: ProbeCounts::default(),
            done: Cell::new(false),
        }
    }

    /// Revokes for this many seconds, at each instance in turn.
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
        let mut report = RevocationReport::new(self.kind, self.ports.len(), CLIENTS_PER_INSTANCE);
        let (mut user, mut left) = self.kind.of_new_user(&users, &mut connections[0]).await?;
        let started = Instant::now();
        let mut revoking = 0;
        while started.elapsed().as_secs() < seconds {
            match left.pop() {
                Some(credential) => {
                    let http = &mut connections[revoking];
                    self.revoke(&user, credential, revoking, http, &mut report).await?;
                    revoking = (revoking + 1) % self.ports.len();
                }
                None => (user, left) = self.kind.of_new_user(&users, &mut connections[revoking]).await?,
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

    /// Waits until every instance serves the session or token from memory, revokes it at one of them, and waits until all
    /// of them refuse it.
    async fn revoke(
        &self,
        user: &ProbeUser,
        credential: ProbeCredential,
        revoking: usize,
        http: &mut HttpConnection,
        report: &mut RevocationReport,
    ) -> Result<(), ProveError> {
        let watched = WatchedCredential::new(credential, self.ports.len());
        *self.current.borrow_mut() = Some(Rc::clone(&watched));
        self.wait_until(Awaited::Serving, &watched, |answers| answers.served.get() >= 2).await?;
        if !user.revoke(watched.credential.revocation(), http).await? {
            // It may be revoked now, later or never, so its requests prove nothing.
            report.unanswered += 1;
            return Ok(());
        }
        self.wait_until(Awaited::Refusing, &watched, |answers| answers.refused_after.get() >= 2).await?;
        let refusals = watched.by_instance.iter().filter_map(|answers| answers.first_refused.get());
        report.add_revocation(watched.credential.revocation(), revoking, refusals);
        let mut revoked = self.revoked.borrow_mut();
        revoked.push(watched);
        let surplus = revoked.len().saturating_sub(REVOKED_KEPT);
        revoked.drain(..surplus);
        Ok(())
    }

    async fn wait_until(
        &self,
        awaited: Awaited,
        watched: &WatchedCredential,
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

    fn choose(&self, turn: usize) -> Option<Rc<WatchedCredential>> {
        let revoked = self.revoked.borrow();
        match turn % CYCLE {
            0 => Some(Rc::clone(&self.bystander)),
            1 if !revoked.is_empty() => Some(Rc::clone(&revoked[turn / CYCLE % revoked.len()])),
            _ => self.current.borrow().clone(),
        }
    }

    async fn send_request(&self, http: &mut HttpConnection, instance: usize, watched: &WatchedCredential) {
        let (credential, answers) = (&watched.credential, &watched.by_instance[instance]);
        // Read when the request starts, because a later revocation must not count.
        let revoked = credential.revocation().answered.get().is_some();
        let answer = credential.request(http).await;
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
            Ok(answer) if credential.is_refused(&answer) => {
                if credential.revocation().sent.get().is_none() {
                    increment(&self.counts.refused_while_live);
                }
                answers.note_refusal();
                answers.refused_after.set(answers.refused_after.get() + usize::from(revoked));
            }
            // The connection was reset: the request was admitted before the revocation.
            Err(_)
                if credential.ends_responses()
                    && !revoked
                    && credential.revocation().sent.get().is_some() =>
            {
                answers.note_refusal();
            }
            _ => increment(&self.counts.failed),
        }
    }
}
