//! Where it is proven: a database and a directory made for it, gone with the value.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::cli::Failure;
use crate::config::Settings;
use crate::db::local::{LocalServer, Options};
use crate::db::migrations;
use crate::db::scratch::Scratch;
use crate::secret::{self, Secret};

/// In the order in which it goes.
pub struct Place {
    pub url: String,
    /// Shared by the instances, and by nobody else.
    pub secret: String,
    _database: Scratch,
    _server: Option<LocalServer>,
    pub dir: Dir,
}

impl Place {
    /// On the server of the settings, past a pooler; in local mode on one that is started for it. Blocks.
    pub fn make(settings: &Settings) -> Result<Self, Failure> {
        let dir = Dir::make()?;
        let (server, url) = match settings.database_direct.as_ref().or(settings.database.as_ref()) {
            Some(url) => (None, url.clone()),
            None => {
                let server = LocalServer::start(&Options::new(&dir.0))?;
                let url = server.maintenance_url();
                (Some(server), url)
            }
        };
        let Some(database) = Scratch::create(&url)? else {
            return Err("this needs a database of its own, and the user of the settings may not make one: \
                        let them (ALTER ROLE … CREATEDB), or prove it in local mode, without a database in the settings"
                .into());
        };
        let url = database.url();
        migrations::run(&url)?;
        Ok(Self { url, secret: Secret::generate()?, _database: database, _server: server, dir })
    }
}

/// Removed with all that is in it.
pub struct Dir(pub PathBuf);

impl Dir {
    fn make() -> Result<Self, Failure> {
        let name = format!("latchkey-prove-{:016x}", u64::from_be_bytes(secret::random()?));
        let dir = std::env::temp_dir().join(name);
        // Root starts Postgres as somebody else, who has to pass.
        fs::DirBuilder::new().mode(0o711).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
