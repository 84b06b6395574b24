//! Delivers the emails in the outbox at least once, with back-off, and shows them if the sink is the mailbox.

use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::{Message, Transport as _};
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::{Db, Fault, off_thread};
use crate::mail::address::address;
use crate::mail::auto_submitted::AutoSubmitted;
use crate::mail::content::MailBody;
use crate::mail::mailer::{Mailer, Sink};
use crate::mail::{queries, smtp, subject};

/// Emails claimed at once: a lease must not expire while a slow server takes the emails before.
const BATCH: i64 = 1;
/// Old emails deleted at once, which keeps locks short.
const AT_ONCE: i64 = 1000;
/// How long an instance has an email to itself. If the mail server takes longer, the email is sent again.
const LEASE: Duration = Duration::from_secs(300);
/// How often the outbox is read without a wake-up: for retries, and for emails of other instances.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The wait after the first failed delivery; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(15);
const LONGEST_RETRY: Duration = Duration::from_secs(30 * 60);

/// Why an email was not delivered, and whether every further attempt would fail as well.
struct Undelivered {
    why: String,
    is_final: bool,
}

/// An email as the mailbox shows it.
pub struct StoredMail {
    pub id: Uuid,
    pub to: String,
    pub subject: String,
    pub written: OffsetDateTime,
    pub body: Option<MailBody>,
}

impl Mailer {
    /// Delivers until the process ends. Logs faults and tries again.
    pub async fn deliver_forever(self, db: Db) {
        loop {
            match self.deliver_due(&db).await {
                Ok(0) => {
                    // A timeout is as good a reason to read the outbox as a wake-up.
                    let _ = tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await;
                }
                Ok(_) => {}
                Err(fault) => {
                    tracing::warn!(%fault, "the outbox cannot be read");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    /// Delivers one batch and returns how many emails it claimed.
    pub async fn deliver_due(&self, db: &Db) -> Result<usize, Fault> {
        let (delivers, keep) = (self.delivers(), self.keep);
        let due = db
            .write(move |conn| {
                queries::purge(conn, keep, AT_ONCE)?;
                // Emails from before mail was switched off wait until they expire.
                if delivers { Ok(queries::claim(conn, BATCH, LEASE)?) } else { Ok(Vec::new()) }
            })
            .await?;
        let taken = due.len();
        for row in due {
            let (id, attempts) = (row.id, row.attempts);
            if row.is_decoy() {
                db.write(move |conn| Ok(queries::drop_decoy(conn, id)?)).await?;
                continue;
            }
            let outcome = self.deliver(row).await;
            let counted = if outcome.is_ok() { &self.counts.delivered } else { &self.counts.failed };
            counted.count();
            let keep_body = matches!(self.sink, Sink::Mailbox);
            db.write(move |conn| {
                match outcome {
                    Ok(()) => queries::mark_sent(conn, id, keep_body)?,
                    Err(Undelivered { why: error, is_final: false }) => {
                        tracing::warn!(mail = %id, attempts, %error, "mail was not delivered");
                        queries::mark_failed(conn, id, &error, retry_in(attempts))?
                    }
                    Err(Undelivered { why: error, is_final: true }) => {
                        tracing::warn!(mail = %id, attempts, %error, "mail was refused for good");
                        queries::mark_refused(conn, id, &error)?
                    }
                };
                Ok(())
            })
            .await?;
        }
        Ok(taken)
    }

    /// The latest emails, newest first.
    pub async fn mailbox(&self, db: &Db) -> Result<Vec<StoredMail>, Fault> {
        let rows = db.read(|conn| Ok(queries::latest(conn, 200)?)).await?;
        Ok(rows.into_iter().map(|row| self.open(row)).collect())
    }

    /// One email of the mailbox.
    pub async fn stored_mail(&self, db: &Db, id: Uuid) -> Result<Option<StoredMail>, Fault> {
        let row = db.read(move |conn| Ok(queries::by_id(conn, id)?)).await?;
        Ok(row.map(|row| self.open(row)))
    }

    async fn deliver(&self, row: queries::OutboxRow) -> Result<(), Undelivered> {
        let Sink::Smtp(relay) = self.sink.clone() else { return Ok(()) };
        let from = self.from.clone();
        let kept = self.open(row);
        let outcome = off_thread(move || {
            let body = kept.body.ok_or_else(|| Fault::Bug("the email cannot be decrypted".into()))?;
            let message = compose(from, kept.id, &kept.to, &kept.subject, body)?;
            Ok(relay.send(&message).map_err(|error| Undelivered {
                is_final: smtp::is_unknown_mailbox(&error) || needs_smtputf8(&message, &error),
                why: without_addresses(&error.to_string()),
            }))
        })
        .await;
        match outcome {
            Ok(sent) => sent.map(drop),
            Err(fault) => Err(Undelivered { why: without_addresses(&fault.to_string()), is_final: false }),
        }
    }

    fn open(&self, row: queries::OutboxRow) -> StoredMail {
        let body = row
            .sealed_body
            .and_then(|sealed| self.secret.open(queries::SEAL_PURPOSE, row.id.as_bytes(), &sealed).ok())
            .and_then(|plain| serde_json::from_slice(plain.expose_secret()).ok());
        StoredMail { id: row.id, to: row.recipient, subject: row.subject, written: row.created_at, body }
    }
}

/// The Message-ID is the id in the outbox, so that an email delivered twice is recognised as one.
fn compose(from: Mailbox, id: Uuid, to: &str, subject: &str, body: MailBody) -> Result<Message, Fault> {
    let to = Mailbox::new(None, address(to).map_err(Fault::bug)?);
    let message_id = format!("<{id}@{}>", from.email.domain());
    let message = Message::builder().message_id(Some(message_id)).from(from).to(to).header(AutoSubmitted);
    let message = match subject::encoded(subject) {
        Some(encoded) => message.header(encoded),
        None => message.subject(subject),
    };
    message.multipart(MultiPart::alternative_plain_html(body.text, body.html)).map_err(Fault::bug)
}

/// Whether the mail server rejected the recipient because it does not support SMTPUTF8.
fn needs_smtputf8(message: &Message, error: &lettre::transport::smtp::Error) -> bool {
    error.is_client() && message.envelope().to().iter().any(|to| !AsRef::<str>::as_ref(to).is_ascii())
}

/// Removes email addresses, which mail servers repeat in their replies, because the text is logged.
fn without_addresses(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn retry_in(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(16);
    FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_an_hour() {
        assert_eq!(retry_in(1), FIRST_RETRY);
        assert_eq!(retry_in(2), 2 * FIRST_RETRY);
        assert_eq!(retry_in(100), LONGEST_RETRY);
    }
}
