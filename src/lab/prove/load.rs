//! Many visitors at each instance who ask all the time; sessions are ended under them, and every answer is judged.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;

use super::people::{Owner, People, Session};
use super::report::Report;
use super::wire::Wire;
use crate::cli::Failure;

/// Who ask at each instance, each on a connection that is kept.
const VISITORS: usize = 4;

/// After each answer. Asked without a break, a small machine would show how long things wait for a processor; like
/// this an instance is still asked some thousand times a second.
const PAUSE: Duration = Duration::from_millis(1);

/// Of so many requests one is for a session that ended a while ago, and one for one that never ends.
const TURNS: usize = 8;

/// So many ended sessions go on being asked for.
const REMEMBERED: usize = 64;

/// An instance that shows nothing for so long will not.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Flood {
    ports: Vec<u16>,
    bystander: Rc<Watched>,
    now: RefCell<Option<Rc<Watched>>>,
    past: RefCell<Vec<Rc<Watched>>>,
    pub counts: Counts,
    done: Cell<bool>,
}

/// A session, and what each instance said to it.
struct Watched {
    session: Session,
    at: Vec<At>,
}

#[derive(Default)]
struct At {
    served: Cell<usize>,
    first_refused: Cell<Option<Instant>>,
    /// Refusals of requests that began after the end was answered.
    refused_since: Cell<usize>,
}

#[derive(Default)]
pub struct Counts {
    pub requests: Cell<u64>,
    pub begun_after_answer: Cell<u64>,
    /// Must stay 0.
    pub served_after_answer: Cell<u64>,
    /// Must stay 0: who refuses everybody proves nothing.
    pub refused_while_live: Cell<u64>,
    /// Neither served nor refused.
    pub failed: Cell<u64>,
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

impl Watched {
    fn new(session: Session, instances: usize) -> Rc<Self> {
        Rc::new(Self { session, at: (0..instances).map(|_| At::default()).collect() })
    }
}

impl Flood {
    pub fn new(ports: Vec<u16>, bystander: Session) -> Self {
        let bystander = Watched::new(bystander, ports.len());
        let (now, past) = (RefCell::default(), RefCell::default());
        Self { ports, bystander, now, past, counts: Counts::default(), done: Cell::new(false) }
    }

    /// Ends sessions for so long, at one instance after the other.
    pub async fn run(self: Rc<Self>, people: People, seconds: u64) -> Result<Report, Failure> {
        let visitors: Vec<JoinHandle<()>> =
            (0..self.ports.len() * VISITORS).map(|visitor| spawn(Rc::clone(&self).visit(visitor))).collect();
        let mut wires: Vec<Wire> = self.ports.iter().map(|port| Wire::new(*port)).collect();
        let mut report = Report::new(self.ports.len(), VISITORS);
        let mut owner = people.owner(&mut wires[0]).await?;
        let begun = Instant::now();
        let mut here = 0;
        while begun.elapsed().as_secs() < seconds {
            match owner.elsewhere.pop() {
                Some(session) => {
                    self.end(&owner, session, here, &mut wires[here], &mut report).await?;
                    here = (here + 1) % self.ports.len();
                }
                None => owner = people.owner(&mut wires[here]).await?,
            }
        }
        report.seconds = begun.elapsed().as_secs_f64();
        self.done.set(true);
        for visitor in visitors {
            visitor.await?;
        }
        report.close(&self.counts);
        Ok(report)
    }

    /// One session: into the memory of every instance, ended at one of them, refused at all of them.
    async fn end(
        &self,
        owner: &Owner,
        session: Session,
        here: usize,
        wire: &mut Wire,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let watched = Watched::new(session, self.ports.len());
        *self.now.borrow_mut() = Some(Rc::clone(&watched));
        self.until("serves a session", &watched, |at| at.served.get() >= 2).await?;
        if !owner.end(&watched.session, wire).await? {
            // It may have ended or not, now or later: nothing can be said about it.
            report.unanswered += 1;
            return Ok(());
        }
        self.until("refuses a session that was ended", &watched, |at| at.refused_since.get() >= 2).await?;
        report.ended(&watched.session, here, watched.at.iter().filter_map(|at| at.first_refused.get()));
        let mut past = self.past.borrow_mut();
        past.push(watched);
        let old = past.len().saturating_sub(REMEMBERED);
        past.drain(..old);
        Ok(())
    }

    async fn until(&self, what: &str, watched: &Watched, seen: impl Fn(&At) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        while !watched.at.iter().all(&seen) {
            // What is proven wrong need not be waited for.
            if self.counts.served_after_answer.get() > 0 && begun.elapsed() > PATIENCE / 15 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("one of the instances never {what}").into());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn visit(self: Rc<Self>, visitor: usize) {
        let instance = visitor % self.ports.len();
        let mut wire = Wire::new(self.ports[instance]);
        let mut turn = visitor;
        while !self.done.get() {
            turn += 1;
            if let Some(watched) = self.choose(turn) {
                self.ask(&mut wire, instance, &watched).await;
            }
            sleep(PAUSE).await;
        }
    }

    fn choose(&self, turn: usize) -> Option<Rc<Watched>> {
        let past = self.past.borrow();
        match turn % TURNS {
            0 => Some(Rc::clone(&self.bystander)),
            1 if !past.is_empty() => Some(Rc::clone(&past[turn / TURNS % past.len()])),
            _ => self.now.borrow().clone(),
        }
    }

    async fn ask(&self, wire: &mut Wire, instance: usize, watched: &Watched) {
        let (session, at) = (&watched.session, &watched.at[instance]);
        // What was known when the request began.
        let over = session.answered.get().is_some();
        let answer = wire.get("/home", &session.cookie).await;
        count(&self.counts.requests);
        if over {
            count(&self.counts.begun_after_answer);
        }
        match answer.map(|answer| (answer.status, answer.location)) {
            Ok((200, _)) => {
                at.served.set(at.served.get() + 1);
                if over {
                    count(&self.counts.served_after_answer);
                }
            }
            Ok((303, location)) if location == "/login" => {
                if session.sent.get().is_none() {
                    count(&self.counts.refused_while_live);
                }
                at.first_refused.set(at.first_refused.get().or_else(|| Some(Instant::now())));
                at.refused_since.set(at.refused_since.get() + usize::from(over));
            }
            _ => count(&self.counts.failed),
        }
    }
}
