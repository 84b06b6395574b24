//! Puts emails into the outbox.

use std::sync::Arc;
use std::time::Duration;

use diesel::pg::PgConnection;
use latchkey_db::counters::Counter;
use lettre::SmtpTransport;
use lettre::message::Mailbox;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

use crate::config::{MailSettings, Misconfigured, Origin, Transport};
use crate::db::{Fault, after_commit};
use crate::mail::content::MailContent;
use crate::mail::{address, queries, smtp};
use crate::secret::Secret;

/// Writes emails into the outbox and knows where they go. Cloning shares it.
#[derive(Clone)]
pub struct Mailer {
    pub(super) secret: Secret,
    origin: Origin,
    pub(super) from: Mailbox,
    pub(super) sink: Sink,
    pub(super) keep: Duration,
    pub(super) wake: Arc<Notify>,
    pub(super) counts: Arc<DeliveryCounts>,
}

/// Where emails go.
#[derive(Clone)]
pub enum Sink {
    /// They stay in the outbox, readable at `/dev/mailbox`.
    Mailbox,
    Smtp(SmtpTransport),
    None,
}

/// The deliveries that this process tried.
#[derive(Default)]
pub struct DeliveryCounts {
    pub delivered: Counter,
    /// Deliveries that are retried until the email expires, or given up because the mailbox does not exist.
    pub failed: Counter,
}

impl Mailer {
    pub fn new(settings: &MailSettings, origin: Origin, secret: Secret) -> Result<Self, Misconfigured> {
        let from = address::sender(&settings.from)?;
        let sink = match (settings.transport, &settings.smtp_url) {
            (Transport::Smtp, Some(url)) => Sink::Smtp(smtp::relay(url.expose_secret(), &settings.ehlo)?),
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

    /// Whether this instance sends email.
    pub fn delivers(&self) -> bool {
        !matches!(self.sink, Sink::None)
    }

    pub fn counts(&self) -> &DeliveryCounts {
        &self.counts
    }

    /// The origin of absolute links.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// An absolute link to `path`.
    pub fn link(&self, path: &str) -> String {
        self.origin.link(path)
    }

    /// Deletes every email to an address, sent or not.
    ///
    /// * `spellings`: the spellings of the address, in lower case.
    pub fn forget(&self, conn: &mut PgConnection, spellings: &[&str]) -> Result<usize, Fault> {
        Ok(queries::delete_to(conn, spellings)?)
    }

    /// Puts an email into the outbox in the caller's transaction, its body encrypted.
    ///
    /// * `good_for`: how long the email is worth delivering.
    pub fn enqueue(
        &self,
        conn: &mut PgConnection,
        to: &str,
        content: &MailContent,
        good_for: Duration,
    ) -> Result<(), Fault> {
        if !self.delivers() {
            tracing::warn!(subject = content.subject, "mail is off: dropped an email");
            return Ok(());
        }
        queries::insert(conn, &self.secret, to, content, good_for)?;
        let wake = Arc::clone(&self.wake);
        after_commit::run(conn, move || wake.notify_one());
        Ok(())
    }

    /// The work of [`Self::enqueue`] if there is no account to write to: the row waits like any other, and the sender
    /// deletes it. So the time of an answer does not tell whether an email was written (ASVS 5.0 6.3.8).
    pub fn enqueue_decoy(
        &self,
        conn: &mut PgConnection,
        content: &MailContent,
        good_for: Duration,
    ) -> Result<(), Fault> {
        self.enqueue(conn, queries::NO_RECIPIENT, content, good_for)
    }
}
