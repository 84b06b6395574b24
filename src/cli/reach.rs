//! Reaching the database a command works on: the configured one, or local mode's own.

use super::{Failure, local_instance};
use crate::accounts::Accounts;
use crate::config::{Misconfigured, Pooler, Settings};
use crate::db::local::{LocalServer, Options};
use crate::db::{Db, Fault, diagnostics, migrations};
use crate::mail::Mailer;

const LOCAL_DATABASE: &str = "latchkey";

/// A database that can be reached for as long as this is kept.
pub struct Reached {
    pub url: String,
    /// Past a pooler that gives every transaction another connection: for migrations, and for commands, which are few.
    pub direct: String,
    /// Local mode: the server stops when its last user lets go.
    pub server: Option<LocalServer>,
}

/// Refuses settings whose errors only show when they are used: no command runs with settings that `serve`
/// refuses.
pub fn check(settings: &Settings) -> Result<(), Misconfigured> {
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
    Accounts::new(Db::shut(settings.pool), mailer, settings).map(drop)
}

/// Starts local mode's server where no database is configured. Blocks.
pub fn database(settings: &Settings) -> Result<Reached, Failure> {
    if let Some(url) = &settings.database {
        let direct = settings.database_direct.as_ref().unwrap_or(url).clone();
        return Ok(Reached { url: url.clone(), direct, server: None });
    }
    let server = LocalServer::start(&Options::new(&settings.data_dir)).map_err(|error| {
        format!("no database is named (DATABASE_URL, PGHOST, CHOREO_…), and our own does not start: {error}")
    })?;
    migrations::create_database(&server.maintenance_url(), LOCAL_DATABASE)?;
    let url = server.url(LOCAL_DATABASE);
    Ok(Reached { direct: url.clone(), url, server: Some(server) })
}

/// Behind a pooler in transaction mode that nobody spoke of, a statement prepared on one connection would be carried out as
/// whatever somebody else had prepared there under the same name.
pub fn no_unknown_pooler(settings: &Settings, url: &str) -> Result<(), Fault> {
    if settings.is_local() || settings.pool.pooler == Pooler::Transaction {
        return Ok(());
    }
    match diagnostics::keeps_its_server(&mut migrations::connect(url)?, &mut migrations::connect(url)?)? {
        true => Ok(()),
        false => Err(Fault::Bug(
            "a pooler in transaction mode is in front of the database: set LATCHKEY__DATABASE__POOLER=transaction, and \
             LATCHKEY__DATABASE__DIRECT_URL to an address past it"
                .into(),
        )),
    }
}

/// The database brought to this version's schema, for commands that come and go, and what that took.
pub fn migrated(settings: &Settings) -> Result<(Reached, Vec<String>), Failure> {
    let reached = database(settings)?;
    no_unknown_pooler(settings, &reached.direct)?;
    let applied = migrations::run(&reached.direct)?;
    Ok((reached, applied))
}

/// The accounts on a migrated database, for commands that come and go.
pub fn accounts(settings: &Settings) -> Result<(Accounts, Reached), Failure> {
    let (reached, _) = migrated(settings)?;
    let db = Db::new(&reached.direct, settings.pool);
    let origin = local_instance::origin(settings);
    let mailer = Mailer::new(&settings.mail, origin, settings.secret.clone())?;
    Ok((Accounts::new(db, mailer, settings)?, reached))
}
