//! A temporary database on an existing server, dropped with its value. For `latchkey prove`, which must not touch the
//! application's rows.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};

use latchkey_db::conninfo::with_database;

use super::{Fault, migrations};
use crate::secret;

/// The database, until this is dropped.
pub struct Scratch {
    server: String,
    name: String,
}

impl Scratch {
    /// On the server of `url`. `None` if its role may not create databases. Blocks.
    pub fn create(url: &str) -> Result<Option<Self>, Fault> {
        let mut conn = migrations::connect(url)?;
        let may: Permission =
            sql_query("SELECT rolsuper OR rolcreatedb AS may FROM pg_roles WHERE rolname = current_user")
                .get_result(&mut conn)?;
        if !may.may {
            return Ok(None);
        }
        let name = format!("latchkey_prove_{:016x}", u64::from_be_bytes(secret::random()?));
        conn.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(Some(Self { server: url.to_owned(), name }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// In libpq's syntax.
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for Scratch {
    /// Ends connections that are still open.
    fn drop(&mut self) {
        let dropped = migrations::connect(&self.server).and_then(|mut conn| {
            Ok(conn.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))?)
        });
        if let Err(fault) = dropped {
            tracing::warn!(%fault, "the database {} is left over", self.name);
        }
    }
}

#[derive(QueryableByName)]
struct Permission {
    #[diesel(sql_type = Bool)]
    may: bool,
}
