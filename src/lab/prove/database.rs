//! A temporary database: created on a server beside the others, dropped with its value, so that `latchkey prove` touches
//! no existing row.

use latchkey_db::conninfo::with_database;

use super::queries;
use crate::db::{Fault, migrations};
use crate::secret;

pub struct TemporaryDatabase {
    server: String,
    name: String,
}

impl TemporaryDatabase {
    /// On the server that `url` leads to. `None` if that role may not create databases. Blocks.
    pub fn create(url: &str) -> Result<Option<Self>, Fault> {
        let mut conn = migrations::connect(url)?;
        if !queries::may_create_database(&mut conn)? {
            return Ok(None);
        }
        let name = format!("latchkey_prove_{:016x}", u64::from_be_bytes(secret::random()?));
        queries::create_database(&mut conn, &name)?;
        Ok(Some(Self { server: url.to_owned(), name }))
    }

    /// In libpq's syntax.
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        let dropped = migrations::connect(&self.server)
            .and_then(|mut conn| queries::drop_database(&mut conn, &self.name));
        if let Err(fault) = dropped {
            tracing::warn!(%fault, "temporary database {} could not be dropped", self.name);
        }
    }
}
