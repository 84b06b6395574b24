//! A temporary database: created on a server beside the others, dropped with its value, so that `latchkey prove`
//! touches no existing row.

use latchkey_db::conninfo::with_database;
use secrecy::{ExposeSecret as _, SecretString};

use super::queries;
use crate::db::{Fault, migrations};
use crate::secret;

pub struct TemporaryDatabase {
    server: SecretString,
    name: String,
}

impl TemporaryDatabase {
    /// On the server that `url` leads to. `None` if that role may not create databases. Blocks.
    pub fn create(url: SecretString) -> Result<Option<Self>, Fault> {
        let mut conn = migrations::connect(url.expose_secret())?;
        if !queries::may_create_database(&mut conn)? {
            return Ok(None);
        }
        let name = format!("latchkey_prove_{:016x}", u64::from_be_bytes(secret::random()?));
        queries::create_database(&mut conn, &name)?;
        Ok(Some(Self { server: url, name }))
    }

    /// In libpq's syntax.
    pub fn url(&self) -> SecretString {
        with_database(self.server.expose_secret(), &self.name).into()
    }
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        let dropped = migrations::connect(self.server.expose_secret())
            .and_then(|mut conn| queries::drop_database(&mut conn, &self.name));
        if let Err(fault) = dropped {
            tracing::warn!(%fault, "temporary database {} could not be dropped", self.name);
        }
    }
}
