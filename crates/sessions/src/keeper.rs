//! The keeper of the cache: one thread with one connection, on which it listens.
//!
//! It takes out of the cache what is announced, proves ten times a second that it still hears (a ping, whose answer
//! carries whatever was committed before it was sent), and so keeps the lease. For whoever takes something back
//! it asks the others whether they have heard. Why that is enough: `docs/decisions/cache-lease.md`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use diesel::Connection as _;
use diesel::pg::PgConnection;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::lease::{LEASE, RUN_OUT, Tick};
use super::word::Word;
use super::{Owner, Principal, Sessions, Shared, queries};
use latchkey_db::{Db, Fault};

/// How often the lease is renewed: four may fail before it is lost.
const PING_EVERY: Duration = Duration::from_millis(LEASE.as_millis() as u64 / 5);

/// libpq through Diesel cannot be waited on for a notification, so it is looked for this often: what is revoked is
/// forgotten within a millisecond, for half a percent of a core.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// … and more often while somebody waits for what is said.
const LOOK_CLOSELY: Duration = Duration::from_micros(250);

/// A connection that failed is tried again after this.
const RETRY: Duration = Duration::from_millis(200);

/// So many changes at once are as good as everything.
const MANY: usize = 32;

/// A notification that has not come after this does not come at all.
const PROBE_WAIT: Duration = Duration::from_secs(2);

pub enum Command {
    /// Answered when every instance has heard what was committed before; dropped when that cannot be known.
    Everywhere(oneshot::Sender<()>),
    Announce(Vec<Principal>),
    Stop,
}

/// Keeps the lease while it lives.
pub struct Keeper {
    commands: Sender<Command>,
    /// Hung up when the thread has ended.
    ended: Receiver<()>,
}

impl Keeper {
    /// Gives the lease back, so that nobody waits for it. Blocks for as long as a statement takes, but not for a
    /// database that does not answer.
    pub fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        let _ = self.ended.recv_timeout(LEASE);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
    }
}

impl<O: Owner> Sessions<O> {
    /// Starts serving from memory, as soon and as long as changes are heard. Without this every load asks the
    /// database. Call it once.
    pub fn keep(&self) -> Keeper {
        let (commands, orders) = channel();
        self.shared.keeper.set(commands.clone());
        let (db, shared) = (self.db.clone(), Arc::clone(&self.shared));
        let (end, ended) = channel();
        let watch = move || {
            let _end: Sender<()> = end;
            let (mut said, mut id) = (false, None);
            // A connection that broke takes its lease with it.
            while let Err(fault) = Post::open(&db, &shared, &mut id).and_then(|mut post| {
                said = false;
                post.keep(&orders)
            }) {
                shared.lease.end();
                if !said {
                    tracing::warn!(%fault, "changes are not heard: sessions are read from the database until they are");
                    said = true;
                }
                if !wait(&orders) {
                    break;
                }
            }
            shared.lease.end();
        };
        // Without the thread there is no lease, and everything is as true as it is slow.
        let thread = thread::Builder::new().name("keeper".into()).spawn(watch);
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread for the keeper of the session cache");
        }
        Keeper { commands, ended }
    }

    /// Whether there is a keeper to tell.
    pub(super) fn tell_keeper(&self, command: Command) -> bool {
        self.shared.keeper.tell(command)
    }
}

/// Between two connections nobody can be asked. Answers whether to go on.
fn wait(orders: &Receiver<Command>) -> bool {
    let begun = Tick::now();
    loop {
        match orders.recv_timeout(Tick::now().until(begun.plus(RETRY))) {
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            // Who asks sees the question dropped, and waits for the leases to run out.
            Ok(Command::Everywhere(_) | Command::Announce(_)) => {}
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

/// One connection, for as long as it lasts.
struct Post<'s, O: Owner> {
    conn: PgConnection,
    /// A new one with every connection.
    id: Uuid,
    shared: &'s Shared<O>,
    syncs: Vec<Sync>,
    /// To be said with the next round.
    words: Vec<String>,
    syncs_begun: u64,
    probed: bool,
    /// Marked as gone, and when no lease of theirs can be left.
    gone: Vec<(Vec<Uuid>, Tick)>,
}

/// A question to all that listen.
struct Sync {
    number: u64,
    begun: Tick,
    missing: BTreeSet<Uuid>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<'s, O: Owner> Post<'s, O> {
    /// Listens first, then is counted on, and forgets everything last: what changes from the first step on is heard,
    /// whoever changes something after the second waits for us, and what was read before the third is read anew.
    /// `last_id`: of the connection before, which has no lease any more and need not be waited for.
    fn open(db: &Db, shared: &'s Shared<O>, last_id: &mut Option<Uuid>) -> Result<Self, Fault> {
        let mut post = Self {
            conn: db.connect_dedicated()?,
            id: Uuid::new_v4(),
            shared,
            syncs: Vec::new(),
            words: Vec::new(),
            syncs_begun: 0,
            probed: false,
            gone: Vec::new(),
        };
        queries::hear(&mut post.conn)?;
        post.probe(db)?;
        queries::register(&mut post.conn, post.id, *last_id)?;
        *last_id = Some(post.id);
        shared.forget_everything();
        Ok(post)
    }

    /// Behind a pooler that changes connections between transactions, LISTEN succeeds and nothing is ever heard.
    fn probe(&mut self, db: &Db) -> Result<(), Fault> {
        // In a transaction, as everything that goes through a pooler.
        db.connect()?.transaction(|conn| queries::say(conn, &[Word::Probe(self.id).to_string()]))?;
        let begun = Tick::now();
        while !self.probed {
            if Tick::now() > begun.plus(PROBE_WAIT) {
                return Err(Fault::Unavailable(
                    "the connection that listens hears nothing: behind a pooler in transaction mode it needs a direct one".into(),
                ));
            }
            thread::sleep(LOOK_EVERY);
            self.listen()?;
        }
        Ok(())
    }

    /// Until told to stop, or an error.
    fn keep(&mut self, orders: &Receiver<Command>) -> Result<(), Fault> {
        let mut ping_due = Tick::now();
        loop {
            let mut waiting = Vec::new();
            let mut order =
                orders.recv_timeout(if self.syncs.is_empty() { LOOK_EVERY } else { LOOK_CLOSELY });
            loop {
                match order {
                    Ok(Command::Everywhere(answer)) => waiting.push(answer),
                    Ok(Command::Announce(principals)) => {
                        self.words
                            .extend(principals.iter().map(|changed| Word::Changed(*changed).to_string()));
                    }
                    Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return self.leave(),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                order = orders.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
            self.listen()?;
            if !waiting.is_empty() {
                self.sync(waiting)?;
            }
            if !self.words.is_empty() {
                let words = std::mem::take(&mut self.words);
                queries::say(&mut self.conn, &words)?;
                self.listen()?;
            }
            self.give_up_on_the_silent()?;
            if Tick::now() >= ping_due {
                ping_due = Tick::now().plus(PING_EVERY);
                self.ping()?;
            }
        }
    }

    /// Takes in everything that has arrived, and only then lets anybody be told that it has.
    fn listen(&mut self) -> Result<(), Fault> {
        let mut changed = Vec::new();
        let mut everything = false;
        let mut heard = Vec::new();
        for notification in self.conn.notifications_iter() {
            match notification?.payload.parse() {
                Ok(Word::Changed(principal)) => changed.push(principal),
                Ok(Word::Everything) | Err(_) => everything = true,
                Ok(word) => heard.push(word),
            }
        }
        changed.sort_unstable();
        changed.dedup();
        // Each would be looked for in the whole cache: of many at once, reading everything anew costs less.
        if everything || changed.len() > MANY {
            self.shared.forget_everything();
        } else if !changed.is_empty() {
            self.shared.forget(&changed);
        }
        for word in heard {
            match word {
                Word::Sync { from, number } => {
                    self.words.push(Word::Ack { to: from, number, by: self.id }.to_string());
                }
                Word::Ack { to, number, by } if to == self.id => self.acknowledged(number, by),
                Word::Probe(id) if id == self.id => self.probed = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn ping(&mut self) -> Result<(), Fault> {
        let asked = Tick::now();
        let Some(moment) = queries::ping(&mut self.conn, self.id)? else {
            return Err(Fault::Unavailable("others have stopped counting on this instance".into()));
        };
        self.listen()?;
        self.shared.lease.extend(asked, moment);
        Ok(())
    }

    /// Asks everybody who may hold a lease. We hear the question ourselves, and answer it like all others.
    fn sync(&mut self, waiting: Vec<oneshot::Sender<()>>) -> Result<(), Fault> {
        self.syncs_begun += 1;
        let (number, begun) = (self.syncs_begun, Tick::now());
        let missing = queries::sync(&mut self.conn, &Word::Sync { from: self.id, number }.to_string())?;
        self.syncs.push(Sync { number, begun, missing: missing.into_iter().collect(), waiting });
        self.listen()
    }

    fn acknowledged(&mut self, number: u64, by: Uuid) {
        for sync in self.syncs.iter_mut().filter(|sync| sync.number == number) {
            sync.missing.remove(&by);
        }
        for sync in self.syncs.extract_if(.., |sync| sync.missing.is_empty()) {
            // Who does not wait any more was not answered either.
            for waiting in sync.waiting {
                let _ = waiting.send(());
            }
        }
    }

    /// Whoever has let a whole lease pass gets no new one under their id, and when the last has surely run out
    /// their row goes, so that the next revocation does not wait for them.
    fn give_up_on_the_silent(&mut self) -> Result<(), Fault> {
        let now = Tick::now();
        for sync in self.syncs.extract_if(.., |sync| now >= sync.begun.plus(RUN_OUT)) {
            let silent: Vec<Uuid> = sync.missing.into_iter().filter(|id| *id != self.id).collect();
            if silent.is_empty() {
                continue;
            }
            tracing::warn!(instances = silent.len(), "a revocation waited for instances that do not answer");
            queries::mark_gone(&mut self.conn, &silent)?;
            self.gone.push((silent, Tick::now().plus(RUN_OUT)));
        }
        for (ids, _) in self.gone.extract_if(.., |(_, over)| now >= *over) {
            queries::delete_listeners(&mut self.conn, &ids)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        self.shared.lease.end();
        // On the way out: a row that stays behind costs somebody one wait.
        let _ = queries::delete_listeners(&mut self.conn, &[self.id]);
        Ok(())
    }
}
