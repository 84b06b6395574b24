//! Taking something back: a transaction, and then the wait until it is gone everywhere.

use std::ops::{Deref, DerefMut};

use diesel::pg::PgConnection;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::keeper::Command;
use super::lease::{RUN_OUT, Tick};
use super::{Owner, Principal, Sessions, queries};
use latchkey_db::Fault;

/// A transaction of [`Sessions::write`], which alone can make one and waits when it is over. Each operation that ends
/// or changes sessions, or what is read with them, takes one, so a caller cannot forget to wait.
///
/// ```compile_fail,E0451
/// # fn caller(conn: &mut diesel::pg::PgConnection) {
/// let change = latchkey_sessions::Change { conn, recalls: false, opened: Vec::new() };
/// # }
/// ```
pub struct Change<'c> {
    conn: &'c mut PgConnection,
    recalls: bool,
    opened: Vec<Principal>,
}

impl Change<'_> {
    /// What this transaction changes must not be served as it was once the change is answered.
    pub fn recall(&mut self) {
        self.recalls = true;
    }

    /// A session of `principal` was opened: nothing is taken back, but their other sessions are one more.
    pub(super) fn opened(&mut self, principal: Principal) {
        self.opened.push(principal);
    }
}

impl Deref for Change<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.conn
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn
    }
}

impl<O: Owner> Sessions<O> {
    /// Runs `work` in one transaction, as [`Db::write`](latchkey_db::Db::write) does. When it answers, no request that
    /// starts from then on, on any instance, is served from what was read before the commit.
    ///
    /// That takes milliseconds while all instances answer, and at most one lease when one does not.
    ///
    /// # Errors
    /// As [`Db::write`](latchkey_db::Db::write).
    pub async fn write<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(&mut Change<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (value, recalls, opened) = self
            .db
            .write(move |conn| {
                let mut change = Change { conn, recalls: false, opened: Vec::new() };
                let value = work(&mut change)?;
                Ok((value, change.recalls, change.opened))
            })
            .await?;
        if recalls && self.served_from_memory {
            self.everywhere().await;
        }
        if !opened.is_empty() {
            self.shared.forget(&opened);
            self.tell_keeper(Command::Announce(opened));
        }
        Ok(value)
    }

    /// Returns when no instance serves from memory what was read before this was called.
    pub async fn everywhere(&self) {
        let begun = Tick::now();
        let counts = self.counts();
        if !self.is_heard_everywhere().await {
            // Somebody was not heard of, or we hear nobody: their leases run out.
            counts.run_out.count();
            sleep(Tick::now().until(begun.plus(RUN_OUT))).await;
        }
        counts.everywhere.record(begun.until(Tick::now()));
    }

    /// Whether every instance has said so, or nobody listens.
    async fn is_heard_everywhere(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        if self.tell_keeper(Command::Everywhere(answer)) {
            return matches!(timeout(RUN_OUT, answered).await, Ok(Ok(())));
        }
        matches!(self.db.read(|conn| Ok(queries::is_anybody_listening(conn)?)).await, Ok(false))
    }
}
