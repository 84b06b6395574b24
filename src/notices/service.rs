//! Sends emails, in the transaction of the operation that they are about.

use std::time::Duration;

use diesel::pg::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::config::{LinkLifetimes, Settings, Span};
use crate::db::{Db, Fault};
use crate::identity::{Client, Email, Recipient, UserId};
use crate::mail::Mailer;
use crate::notices::notice::{Mail, MailWriter, Notice};
use crate::secret::Secret;

/// How long a notice is worth delivering.
const NOTICE_GOOD_FOR: Span = Span::days(3);

/// Writes emails and links. Cloning shares the outbox.
#[derive(Clone)]
pub struct Notices {
    pub(crate) db: Db,
    pub(crate) mailer: Mailer,
    pub(super) lifetimes: LinkLifetimes,
    pub(super) secret: Secret,
    writer: MailWriter,
}

impl Notices {
    pub(crate) fn new(db: Db, mailer: Mailer, settings: &Settings, writer: MailWriter) -> Self {
        Self { db, mailer, lifetimes: settings.tokens, secret: settings.secret.clone(), writer }
    }

    /// Puts an email into the outbox.
    ///
    /// * `good_for`: how long it is worth delivering.
    pub(crate) fn send(
        &self,
        conn: &mut PgConnection,
        to: &str,
        mail: &Mail<'_>,
        good_for: Duration,
    ) -> Result<(), Fault> {
        self.mailer.enqueue(conn, to, &(self.writer)(self.mailer.origin(), mail)?, good_for)
    }

    /// The work of [`Self::send`] without a recipient, so that the time of an answer tells nothing about the account.
    pub(crate) fn send_to_no_one(
        &self,
        conn: &mut PgConnection,
        mail: &Mail<'_>,
        good_for: Duration,
    ) -> Result<(), Fault> {
        self.mailer.enqueue_decoy(conn, &(self.writer)(self.mailer.origin(), mail)?, good_for)
    }

    /// Tells the owner of an account what `client` just did.
    pub(crate) fn send_notice(
        &self,
        conn: &mut PgConnection,
        to: &Recipient,
        notice: &Notice<'_>,
        client: &Client,
    ) -> Result<(), Fault> {
        self.send_notice_at(conn, to, notice, client, OffsetDateTime::now_utc())
    }

    /// Tells the owner of an account what `client` did at the time `at`.
    pub(crate) fn send_notice_at(
        &self,
        conn: &mut PgConnection,
        to: &Recipient,
        notice: &Notice<'_>,
        client: &Client,
        at: OffsetDateTime,
    ) -> Result<(), Fault> {
        self.send(conn, &to.email, &Mail::Notice { notice, at, client }, NOTICE_GOOD_FOR.std())
    }

    /// Sends a notice to an address that was requested while it is reserved for the account that had it before: the owner
    /// may have missed the notice about the change. It contains no name, because an attacker may have set it.
    pub(crate) fn notify_reserved_address(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        until: OffsetDateTime,
        client: &Client,
    ) -> Result<(), Fault> {
        let to =
            Recipient { id: UserId(Uuid::nil()), name: "there".into(), email: email.as_str().to_owned() };
        self.send_notice(conn, &to, &Notice::AddressReserved { until }, client)
    }
}
