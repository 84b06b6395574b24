//! Reaching the database a command works on: the configured one, or local mode's own.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};

use super::Failure;
use crate::accounts::Accounts;
use crate::config::Settings;
use crate::db::local::{LocalServer, Options};
use crate::db::{Db, Fault, migrations};
use crate::mail::Mailer;

const LOCAL_DATABASE: &str = "latchkey";

/// A database that can be reached for as long as this is kept.
pub struct Reached {
    pub url: String,
    /// Local mode: the server stops when its last user lets go.
    pub server: Option<LocalServer>,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// Starts local mode's server where no database is configured. Blocks.
pub fn database(settings: &Settings) -> Result<Reached, Failure> {
    if let Some(url) = &settings.database {
        return Ok(Reached { url: url.clone(), server: None });
    }
    let server = LocalServer::start(&Options::new(&settings.data_dir))?;
    create(&server.maintenance_url())?;
    Ok(Reached { url: server.url(LOCAL_DATABASE), server: Some(server) })
}

fn create(maintenance_url: &str) -> Result<(), Fault> {
    let mut conn = migrations::connect(maintenance_url)?;
    let exists = |conn: &mut _| -> Result<bool, Fault> {
        let row: Found = sql_query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found")
            .bind::<Text, _>(LOCAL_DATABASE)
            .get_result(conn)?;
        Ok(row.found)
    };
    if exists(&mut conn)? {
        return Ok(());
    }
    match conn.batch_execute(&format!("CREATE DATABASE {LOCAL_DATABASE}")) {
        // Another instance was faster.
        Err(_) if exists(&mut conn)? => Ok(()),
        answer => Ok(answer?),
    }
}

/// The accounts on a migrated database, for commands that come and go.
pub fn accounts(settings: &Settings) -> Result<(Accounts, Reached), Failure> {
    let reached = database(settings)?;
    migrations::run(&reached.url)?;
    let db = Db::new(&reached.url, settings.pool);
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
    Ok((Accounts::new(db, mailer, settings)?, reached))
}
