//! Connect a command to its database: the configured one, or that of local mode.

use secrecy::{ExposeSecret as _, SecretString};

use super::{Failure, local_instance};
use crate::accounts::Accounts;
use crate::config::{Misconfigured, Pooler, Settings};
use crate::db::local::{LocalPostgresOptions, LocalServer};
use crate::db::{Db, Fault, diagnostics, migrations};
use crate::mail::Mailer;
use crate::web::copy::mails;

const LOCAL_DATABASE: &str = "latchkey";

/// A database that can be reached until this is dropped.
pub struct ReachableDatabase {
    pub url: SecretString,
    /// Bypasses a pooler in transaction mode; for migrations and commands.
    pub direct: SecretString,
    /// In local mode. The server stops when its last user drops it.
    pub server: Option<LocalServer>,
}

/// Refuses settings whose errors show only when they are used, so that every command refuses what `serve` refuses.
pub fn check(settings: &Settings) -> Result<(), Misconfigured> {
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
    Accounts::new(Db::shut(settings.pool), mailer, settings, mails::write).map(drop)
}

/// Starts the server of local mode if no database is configured. Blocks.
pub fn database(settings: &Settings) -> Result<ReachableDatabase, Failure> {
    if let Some(url) = &settings.database {
        let direct = settings.database_direct.as_ref().unwrap_or(url).clone();
        return Ok(ReachableDatabase { url: url.clone(), direct, server: None });
    }
    let server = LocalServer::start(&LocalPostgresOptions::new(&settings.data_dir)).map_err(|error| {
        format!("no database is configured (DATABASE_URL, PGHOST, CHOREO_…), and the local one does not start: {error}")
    })?;
    migrations::create_database(&server.maintenance_url(), LOCAL_DATABASE)?;
    let url = SecretString::from(server.url(LOCAL_DATABASE));
    Ok(ReachableDatabase { direct: url.clone(), url, server: Some(server) })
}

/// Refuses a pooler in transaction mode that is not configured: behind it, a prepared statement could run as a
/// statement that another client prepared under the same name.
pub fn no_unknown_pooler(settings: &Settings, url: &str) -> Result<(), Fault> {
    if settings.is_local() || settings.pool.pooler == Pooler::Transaction {
        return Ok(());
    }
    match diagnostics::keeps_its_server(&mut migrations::connect(url)?, &mut migrations::connect(url)?)? {
        true => Ok(()),
        false => Err(Fault::Bug(
            "a pooler in transaction mode is in front of the database: set LATCHKEY__DATABASE__POOLER=transaction, and \
             LATCHKEY__DATABASE__DIRECT_URL to an address that bypasses it"
                .into(),
        )),
    }
}

/// Connects and migrates; returns the applied migrations.
pub fn migrated(settings: &Settings) -> Result<(ReachableDatabase, Vec<String>), Failure> {
    let reached = database(settings)?;
    no_unknown_pooler(settings, reached.direct.expose_secret())?;
    let applied = migrations::run(reached.direct.expose_secret())?;
    Ok((reached, applied))
}

/// Connects, migrates and builds the services.
pub fn accounts(settings: &Settings) -> Result<(Accounts, ReachableDatabase), Failure> {
    let (reached, _) = migrated(settings)?;
    let db = Db::new(reached.direct.expose_secret(), settings.pool);
    let origin = local_instance::origin(settings);
    let mailer = Mailer::new(&settings.mail, origin, settings.secret.clone())?;
    Ok((Accounts::new(db, mailer, settings, mails::write)?, reached))
}
