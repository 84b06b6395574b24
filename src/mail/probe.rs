//! Checks for `latchkey doctor`: whether the mail server answers, and whether emails wait. Sends no email.

use std::time::Duration;

use diesel::pg::PgConnection;
use lettre::SmtpTransport;
use time::OffsetDateTime;

use crate::db::Fault;
use crate::mail::mailer::{Mailer, Sink};
use crate::mail::queries;

/// How many emails are read to see which secret encrypted them.
const MOST: i64 = 10_000;

impl Mailer {
    /// Connects to the mail server with TLS and log-in, and disconnects. `None` if there is no mail server. Blocks.
    pub fn test_connection(&self) -> Option<Result<(), String>> {
        let Sink::Smtp(relay) = &self.sink else { return None };
        Some(match SmtpTransport::test_connection(relay) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it answers, but not like a mail server".into()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The domain of the sender.
    pub fn sender_domain(&self) -> &str {
        self.from.email.domain()
    }

    /// How many emails have waited for longer than `late`, and since when the oldest has.
    pub fn stuck(
        &self,
        conn: &mut PgConnection,
        late: Duration,
    ) -> Result<(i64, Option<OffsetDateTime>), Fault> {
        Ok(queries::stuck(conn, late)?)
    }

    /// Encrypted bodies, 10,000 at most.
    pub fn sealed(&self, conn: &mut PgConnection) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(queries::sealed(conn, MOST)?.into_iter().flatten().collect())
    }
}
