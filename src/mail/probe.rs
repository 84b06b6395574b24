//! Whether letters could be sent, and whether they wait: for `latchkey doctor`. Sends none.

use std::time::Duration;

use diesel::pg::PgConnection;
use lettre::SmtpTransport;
use time::OffsetDateTime;

use super::{Mailer, Sink, queries};
use crate::db::Fault;

/// Letters looked at to see which secret sealed them.
const MOST: i64 = 10_000;

impl Mailer {
    /// Connects, with TLS and log-in as for a letter, and leaves again. `None` where there is no mail server. Blocks.
    pub fn test_connection(&self) -> Option<Result<(), String>> {
        let Sink::Smtp(relay) = &self.sink else { return None };
        Some(match SmtpTransport::test_connection(relay) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it answers, but not as a mail server does".into()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The domain letters come from.
    pub fn sender_domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Letters that have waited for longer than `late`, and since when the oldest.
    pub fn stuck(
        &self,
        conn: &mut PgConnection,
        late: Duration,
    ) -> Result<(i64, Option<OffsetDateTime>), Fault> {
        Ok(queries::stuck(conn, late)?)
    }

    /// The sealed letters, some of them if they are many.
    pub fn sealed(&self, conn: &mut PgConnection) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(queries::sealed(conn, MOST)?.into_iter().flatten().collect())
    }
}
