//! Fills in the missing keys of addresses whose domain is not ASCII. Postgres cannot do IDNA, so the migration leaves them
//! out, and so do instances of an older version (docs/decisions/email-keys.md).

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::db::Fault;
use crate::identity::Email;
use crate::maintenance::{Maintenance, queries};

/// Rows locked in one transaction.
const BATCH: i64 = 500;

/// What [`Maintenance::fill_idn_keys`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdnKeyCounts {
    pub filled: usize,
    /// Accounts whose mailbox another account has too. Each is found by its own spelling, as before.
    pub shared: usize,
}

impl Maintenance {
    /// Several instances may run it at the same time.
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

/// Returns the last id of the batch; `None` after the last batch.
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
