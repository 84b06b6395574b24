//! The invalidation listener: one thread with one connection that listens for changes.
//!
//! It removes announced changes from the cache. Ten times a second it pings the database; the answer arrives after
//! every change that was committed before the ping, so each ping extends the lease. For a transaction that revokes, it
//! asks the other instances for acknowledgement. Why that suffices: README.md, "How it works".

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use diesel::Connection as _;
use diesel::pg::PgConnection;
use latchkey_db::{Db, Fault};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::inner::StoreInner;
use super::lease::{BootInstant, LEASE, MAX_LEASE};
use super::listener_handle::ListenerCommand;
use super::message::Message;
use super::{Owner, Store, queries};

/// How often the lease is extended: four pings may fail before it expires.
const PING_EVERY: Duration = Duration::from_millis(LEASE.as_millis() as u64 / 5);

/// Diesel cannot wait for a notification, so the connection is polled. Polling every millisecond evicts revoked sessions
/// within 1 ms and costs about 0.5 % of a core.
const POLL_EVERY: Duration = Duration::from_millis(1);

/// The interval while a transaction waits for acknowledgements.
const POLL_EVERY_IN_SYNC: Duration = Duration::from_micros(250);

/// A failed connection is opened again after this time.
const RETRY: Duration = Duration::from_millis(200);

/// With more changed principals than this at once, the whole cache is cleared.
const MAX_SINGLE_CHANGES: usize = 32;

/// A probe that has not arrived after this time will not arrive.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// Keeps the cache valid while it lives. Dropping it stops the listener.
pub struct InvalidationListener {
    commands: Sender<ListenerCommand>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl InvalidationListener {
    /// Gives up the lease, so that no revocation waits for this instance. Blocks until the thread has ended, but not for
    /// a database that does not answer.
    pub fn stop(self) {
        let _ = self.commands.send(ListenerCommand::Stop);
        let _ = self.ended.recv_timeout(LEASE);
    }
}

impl Drop for InvalidationListener {
    fn drop(&mut self) {
        let _ = self.commands.send(ListenerCommand::Stop);
    }
}

impl<O: Owner> Store<O> {
    /// Starts the listener, which lets this instance serve sessions from memory. Without it every lookup queries the
    /// database. Call it once; [`Store::start_background`] does.
    pub fn listen(&self) -> InvalidationListener {
        let (commands, received) = channel();
        self.shared.listener.set(commands.clone());
        let (db, shared) = (self.db.clone(), Arc::clone(&self.shared));
        let (end, ended) = channel();
        let run = move || {
            let _end: Sender<()> = end;
            let (mut logged, mut id) = (false, None);
            // Without its connection the listener has no lease.
            while let Err(fault) =
                ListenerConnection::open(&db, &shared, &mut id).and_then(|mut connection| {
                    logged = false;
                    connection.run(&received)
                })
            {
                shared.lease.end();
                if !logged {
                    tracing::warn!(
                        %fault,
                        "invalidation listener lost; reading sessions from the database until it reconnects"
                    );
                    logged = true;
                }
                if !wait_to_reconnect(&received) {
                    break;
                }
            }
            shared.lease.end();
        };
        // If the thread cannot start, no lease is granted: correct, but every lookup queries the database.
        let thread = thread::Builder::new().name("invalidation".into()).spawn(run);
        if let Err(error) = &thread {
            tracing::error!(%error, "cannot start the invalidation listener; sessions are read from the database");
        }
        InvalidationListener { commands, ended }
    }
}

/// Without a connection no instance can be asked. Returns whether to continue.
fn wait_to_reconnect(commands: &Receiver<ListenerCommand>) -> bool {
    let begun = BootInstant::now();
    loop {
        match commands.recv_timeout(BootInstant::now().until(begun.plus(RETRY))) {
            Ok(ListenerCommand::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            // Dropping the request makes its sender wait until every lease has expired.
            Ok(ListenerCommand::Sync(_) | ListenerCommand::Announce(_)) => {}
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

/// The state of one connection.
struct ListenerConnection<'s, O: Owner> {
    conn: PgConnection,
    /// A new id for each connection.
    id: Uuid,
    shared: &'s StoreInner<O>,
    syncs: Vec<PendingSync>,
    /// Messages to be sent in the next round.
    outgoing: Vec<String>,
    syncs_begun: u64,
    probed: bool,
    /// Instances marked as gone, and when their last lease has expired.
    gone: Vec<(Vec<Uuid>, BootInstant)>,
}

/// A request for acknowledgement by all instances.
struct PendingSync {
    number: u64,
    begun: BootInstant,
    missing: BTreeSet<Uuid>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<'s, O: Owner> ListenerConnection<'s, O> {
    /// Listens, then registers, then clears the cache. A change after the first step is received; a revocation after
    /// the second waits for this instance; rows that were read before the third are read again. `last_id`: the id of
    /// the previous connection, which has no lease any more and need not be waited for.
    fn open(db: &Db, shared: &'s StoreInner<O>, last_id: &mut Option<Uuid>) -> Result<Self, Fault> {
        let mut connection = Self {
            conn: db.connect_dedicated()?,
            id: Uuid::new_v4(),
            shared,
            syncs: Vec::new(),
            outgoing: Vec::new(),
            syncs_begun: 0,
            probed: false,
            gone: Vec::new(),
        };
        queries::listen(&mut connection.conn)?;
        connection.probe(db)?;
        queries::register(&mut connection.conn, connection.id, *last_id)?;
        *last_id = Some(connection.id);
        shared.invalidate_everything();
        Ok(connection)
    }

    /// Behind a pooler in transaction mode, LISTEN succeeds and no notification ever arrives.
    fn probe(&mut self, db: &Db) -> Result<(), Fault> {
        // In a transaction, like every statement that passes a pooler.
        db.connect()?.transaction(|conn| queries::notify(conn, &[Message::Probe(self.id).to_string()]))?;
        let begun = BootInstant::now();
        while !self.probed {
            if BootInstant::now() > begun.plus(PROBE_WAIT) {
                return Err(Fault::Unavailable(
                    "the listening connection receives no notifications: behind a pooler in transaction mode it needs a direct one".into(),
                ));
            }
            thread::sleep(POLL_EVERY);
            self.receive()?;
        }
        Ok(())
    }

    /// Runs until the stop command or an error.
    fn run(&mut self, commands: &Receiver<ListenerCommand>) -> Result<(), Fault> {
        let mut ping_due = BootInstant::now();
        loop {
            let mut waiting = Vec::new();
            let poll_every = if self.syncs.is_empty() { POLL_EVERY } else { POLL_EVERY_IN_SYNC };
            let mut command = commands.recv_timeout(poll_every);
            loop {
                match command {
                    Ok(ListenerCommand::Sync(answer)) => waiting.push(answer),
                    Ok(ListenerCommand::Announce(principals)) => {
                        self.outgoing
                            .extend(principals.iter().map(|changed| Message::Changed(*changed).to_string()));
                    }
                    Ok(ListenerCommand::Stop) | Err(RecvTimeoutError::Disconnected) => return self.leave(),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                command = commands.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
            self.receive()?;
            if !waiting.is_empty() {
                self.sync(waiting)?;
            }
            if !self.outgoing.is_empty() {
                let messages = mem::take(&mut self.outgoing);
                queries::notify(&mut self.conn, &messages)?;
                self.receive()?;
            }
            self.expire_silent_instances()?;
            if BootInstant::now() >= ping_due {
                ping_due = BootInstant::now().plus(PING_EVERY);
                self.ping()?;
            }
        }
    }

    /// Processes everything that has arrived: first the changes, then the acknowledgement requests that follow them.
    fn receive(&mut self) -> Result<(), Fault> {
        let mut changed = Vec::new();
        let mut everything = false;
        let mut received = Vec::new();
        for notification in self.conn.notifications_iter() {
            match notification?.payload.parse() {
                Ok(Message::Changed(principal)) => changed.push(principal),
                Ok(Message::Everything) | Err(_) => everything = true,
                Ok(message) => received.push(message),
            }
        }
        changed.sort_unstable();
        changed.dedup();
        // Each principal is looked up in every shard: above a few principals, clearing the cache and reading all
        // sessions again costs less.
        if everything || changed.len() > MAX_SINGLE_CHANGES {
            self.shared.invalidate_everything();
        } else if !changed.is_empty() {
            self.shared.invalidate(&changed);
        }
        for message in received {
            match message {
                Message::Sync { from, number } => {
                    self.outgoing.push(Message::Ack { to: from, number, by: self.id }.to_string());
                }
                Message::Ack { to, number, by } if to == self.id => self.acknowledged(number, by),
                Message::Probe(id) if id == self.id => self.probed = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn ping(&mut self) -> Result<(), Fault> {
        let asked = BootInstant::now();
        let Some(moment) = queries::ping(&mut self.conn, self.id)? else {
            return Err(Fault::Unavailable("other instances no longer wait for this one".into()));
        };
        self.receive()?;
        self.shared.lease.extend(asked, moment);
        Ok(())
    }

    /// Asks every instance that may hold a lease. This instance receives the request too, and answers it in the same
    /// way.
    fn sync(&mut self, waiting: Vec<oneshot::Sender<()>>) -> Result<(), Fault> {
        self.syncs_begun += 1;
        let (number, begun) = (self.syncs_begun, BootInstant::now());
        let question = Message::Sync { from: self.id, number }.to_string();
        let missing = queries::notify_all(&mut self.conn, &question)?;
        self.syncs.push(PendingSync { number, begun, missing: missing.into_iter().collect(), waiting });
        self.receive()
    }

    fn acknowledged(&mut self, number: u64, by: Uuid) {
        for sync in self.syncs.iter_mut().filter(|sync| sync.number == number) {
            sync.missing.remove(&by);
        }
        for sync in self.syncs.extract_if(.., |sync| sync.missing.is_empty()) {
            // The receiver may have given up.
            for waiting in sync.waiting {
                let _ = waiting.send(());
            }
        }
    }

    /// An instance that was silent for a whole lease gets no new one under its id. When its last lease has certainly
    /// expired, its row is deleted, so that the next revocation does not wait for it.
    fn expire_silent_instances(&mut self) -> Result<(), Fault> {
        let now = BootInstant::now();
        for sync in self.syncs.extract_if(.., |sync| now >= sync.begun.plus(MAX_LEASE)) {
            let silent: Vec<Uuid> = sync.missing.into_iter().filter(|id| *id != self.id).collect();
            if silent.is_empty() {
                continue;
            }
            tracing::warn!(instances = silent.len(), "a revocation waited for instances that do not answer");
            queries::mark_gone(&mut self.conn, &silent)?;
            self.gone.push((silent, BootInstant::now().plus(MAX_LEASE)));
        }
        for (ids, _) in self.gone.extract_if(.., |(_, over)| now >= *over) {
            queries::delete_listeners(&mut self.conn, &ids)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        self.shared.lease.end();
        // If this fails, one more revocation waits for the remaining row.
        let _ = queries::delete_listeners(&mut self.conn, &[self.id]);
        Ok(())
    }
}
