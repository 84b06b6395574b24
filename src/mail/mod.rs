//! Mail: put into the outbox in the transaction of what it tells about, delivered afterwards.

mod address;
mod auto_submitted;
mod letters;
mod outbox;
mod probe;
mod queries;
mod smtp;
mod subject;

use std::sync::Arc;
use std::time::Duration;

use diesel::pg::PgConnection;
use lettre::message::Mailbox;
use tokio::sync::Notify;

use crate::config::{self, Misconfigured, Origin, Transport};
use crate::db::{Fault, after_commit};
use crate::secret::Secret;
use latchkey_db::counters::Counter;

pub use address::address;
pub use letters::{AlreadyRegistered, ConfirmEmail, Invitation, Letter, Notice, ResetPassword, VerifyEmail};
pub use outbox::{Body, Kept, Sink};

/// Writes letters into the outbox and knows where they go. Cloning shares it.
#[derive(Clone)]
pub struct Mailer {
    secret: Secret,
    origin: Origin,
    from: Mailbox,
    sink: Sink,
    keep: Duration,
    wake: Arc<Notify>,
    counts: Arc<Counts>,
}

/// Attempts of this process to deliver a letter.
#[derive(Default)]
pub struct Counts {
    pub delivered: Counter,
    /// Tried again later while the letter is worth it, or given up because the mailbox does not exist.
    pub failed: Counter,
}

impl Mailer {
    pub fn new(settings: &config::Mail, origin: Origin, secret: Secret) -> Result<Self, Misconfigured> {
        let from = address::sender(&settings.from)?;
        let sink = match (settings.transport, &settings.smtp_url) {
            (Transport::Smtp, Some(url)) => Sink::Smtp(smtp::relay(url, &settings.ehlo)?),
            (Transport::Mailbox, _) => Sink::Mailbox,
            _ => Sink::None,
        };
        Ok(Self {
            secret,
            origin,
            from,
            sink,
            keep: settings.keep.std(),
            wake: Arc::default(),
            counts: Arc::default(),
        })
    }

    /// Whether mail reaches anybody at all.
    pub fn delivers(&self) -> bool {
        !matches!(self.sink, Sink::None)
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// An absolute link for a letter.
    pub fn link(&self, path: &str) -> String {
        self.origin.link(path)
    }

    /// Deletes every letter to an address, sent or not. `spellings`: in lower case.
    pub fn forget(&self, conn: &mut PgConnection, spellings: &[&str]) -> Result<usize, Fault> {
        Ok(queries::delete_to(conn, spellings)?)
    }

    /// Puts `letter` into the outbox in the caller's transaction. Its body is sealed, and it is not worth
    /// sending after `good_for`.
    pub fn enqueue(
        &self,
        conn: &mut PgConnection,
        to: &str,
        letter: &impl Letter,
        good_for: Duration,
    ) -> Result<(), Fault> {
        if !self.delivers() {
            tracing::warn!(subject = letter.subject(), "mail is off: a letter was not written");
            return Ok(());
        }
        let body = Body { text: letter.text()?, html: letter.html()? };
        queries::insert(conn, &self.secret, to, &letter.subject(), &body, good_for)?;
        let wake = Arc::clone(&self.wake);
        after_commit::run(conn, move || wake.notify_one());
        Ok(())
    }

    /// The work of [`Self::enqueue`] where there is no account to write to: the row waits like any other, and the
    /// sender drops it. So the time of an answer does not tell whether a letter was written (ASVS 5.0 6.3.8).
    pub fn enqueue_decoy(
        &self,
        conn: &mut PgConnection,
        letter: &impl Letter,
        good_for: Duration,
    ) -> Result<(), Fault> {
        self.enqueue(conn, queries::NO_RECIPIENT, letter, good_for)
    }
}
