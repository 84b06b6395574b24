//! Fills in the keys of addresses whose domain is not ASCII. Postgres cannot do IDNA, so the migration leaves it to the
//! program, and a version before this one writes rows without (docs/decisions/email-keys.md).

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::db::Fault;
use crate::identity::Email;
use crate::users::{Maintenance, queries};

/// Rows locked in one transaction.
const BATCH: i64 = 500;

/// What [`Maintenance::fill_idn_keys`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdnKeyCounts {
    pub filled: usize,
    /// Maintenance whose mailbox another account has as well. Each is reached by its own spelling, as before.
    pub shared: usize,
}

impl Maintenance {
    /// Fills in the missing keys. Several instances may do it at once.
    pub async fn fill_idn_keys(&self) -> Result<IdnKeyCounts, Fault> {
        let (mut keys, mut after) = (IdnKeyCounts::default(), Uuid::nil());
        loop {
            let (batch, last) = self.db.write(move |conn| fill_batch(conn, after)).await?;
            keys = IdnKeyCounts { filled: keys.filled + batch.filled, shared: keys.shared + batch.shared };
            match last {
                Some(last) => after = last,
                None => return Ok(keys),
            }
        }
    }
}

/// Answers the last id of the batch; `None` if it was the last batch.
fn fill_batch(conn: &mut PgConnection, after: Uuid) -> Result<(IdnKeyCounts, Option<Uuid>), Fault> {
    let rows = queries::idn_rows(conn, after, BATCH)?;
    let mut keys = IdnKeyCounts::default();
    for row in rows.iter().filter(|row| row.email_idn_key.is_none()) {
        let email = Email::stored(&row.email);
        let key = email.key().as_str();
        if key == row.email_key {
            continue;
        }
        match queries::set_idn_key(conn, row, key)? {
            true => keys.filled += 1,
            false => keys.shared += 1,
        }
    }
    Ok((keys, rows.last().map(|row| row.id)))
}
