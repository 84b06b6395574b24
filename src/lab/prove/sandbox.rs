//! Where the test runs: a database and a directory of its own, removed with the value.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::ProveError;
use super::database::TemporaryDatabase;
use crate::config::Settings;
use crate::db::local::{LocalPostgresOptions, LocalServer};
use crate::db::migrations;
use crate::secret::{self, Secret};

/// The fields are dropped in this order: database, server, directory.
pub struct Sandbox {
    pub url: SecretString,
    /// Shared by the instances only.
    pub secret: SecretString,
    _database: TemporaryDatabase,
    _server: Option<LocalServer>,
    pub dir: TemporaryDir,
}

impl Sandbox {
    /// On the server in the settings, past a pooler; in local mode on a server that is started for it. Blocks.
    pub fn create(settings: &Settings) -> Result<Self, ProveError> {
        let dir = TemporaryDir::create()?;
        let (server, url) = match settings.database_direct.as_ref().or(settings.database.as_ref()) {
            Some(url) => (None, url.clone()),
            None => {
                let server = LocalServer::start(&LocalPostgresOptions::new(&dir.0))?;
                let url = SecretString::from(server.maintenance_url());
                (Some(server), url)
            }
        };
        let database = TemporaryDatabase::create(url)?.ok_or(ProveError::CreateDatabaseDenied)?;
        let url = database.url();
        migrations::run(url.expose_secret())?;
        Ok(Self { url, secret: Secret::generate()?, _database: database, _server: server, dir })
    }
}

/// A directory that is removed with its content.
pub struct TemporaryDir(pub PathBuf);

impl TemporaryDir {
    fn create() -> Result<Self, ProveError> {
        let name = format!("latchkey-prove-{:016x}", u64::from_be_bytes(secret::random()?));
        let dir = std::env::temp_dir().join(name);
        // If we are root, Postgres runs as another user, who must be able to pass.
        fs::DirBuilder::new().mode(0o711).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
