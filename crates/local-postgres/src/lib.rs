//! A private PostgreSQL server: created once in a data directory, reached through a unix socket only, shared by all
//! processes that use the directory, and stopped by the last of them. For programs that bring their database along, and
//! for tests. It knows nothing of Diesel or of a schema.
//!
//! ```no_run
//! use std::path::Path;
//! use local_postgres::{LocalServer, LocalPostgresOptions};
//!
//! let server = LocalServer::start(&LocalPostgresOptions::new(Path::new("/var/lib/shop")))?;
//! let url = server.url("shop");
//! // … connect to it …
//! server.stop()?;
//! # Ok::<(), local_postgres::LocalError>(())
//! ```

mod binaries;
mod cluster;
mod create_cluster;
mod error;
mod launch;
mod lock;
mod log;
mod options;
mod owner;
mod postmaster;
mod running;
mod socket;

use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub use error::LocalError;
use launch::Launch;
use lock::Lock;
pub use options::LocalPostgresOptions;

/// Held while deciding to create, start or stop, so that two processes never decide at once.
const DECISION_LOCK: &str = "postgres.decide.lock";
/// Held in shared mode by every `LocalServer`; a process that can lock it exclusively is the last user.
const USERS_LOCK: &str = "postgres.users.lock";

/// A handle on the private server, which runs at least as long as the handle exists.
pub struct LocalServer {
    data_dir: PathBuf,
    cluster_dir: PathBuf,
    socket_dir: PathBuf,
    /// `None` after the handle was released.
    in_use: Option<Lock>,
}

impl LocalServer {
    /// Creates the cluster if there is none, starts the server if it is not running, and returns when it accepts
    /// connections. Blocks for up to about a minute.
    pub fn start(options: &LocalPostgresOptions) -> Result<Self, LocalError> {
        let data_dir = create_cluster::create_data_dir(options.data_dir)?;
        let _deciding = Lock::exclusive(&data_dir.join(DECISION_LOCK))?;
        let in_use = Lock::shared(&data_dir.join(USERS_LOCK))?;
        let cluster = create_cluster::open_or_create(&data_dir, options)?;
        let socket_dir = postmaster::start(&Launch {
            cluster: &cluster,
            log: &data_dir.join("postgres.log"),
            settings: options.settings,
            bin_dirs: options.bin_dirs,
        })?;
        Ok(LocalServer { data_dir, cluster_dir: cluster.dir, socket_dir, in_use: Some(in_use) })
    }

    /// The libpq URL of `database`, which need not exist yet. It sets every parameter, because libpq would take missing
    /// ones from `PGUSER`, `PGPORT` and the like.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql://{}@/{}?host={}&port={}",
            cluster::SUPERUSER,
            percent_encoded(database.as_bytes()),
            percent_encoded(self.socket_dir.as_os_str().as_bytes()),
            socket::PORT,
        )
    }

    /// The URL of a database that always exists, for `CREATE DATABASE`.
    pub fn maintenance_url(&self) -> String {
        self.url("postgres")
    }

    /// Releases the handle, and stops the server unless another process uses it. Dropping the handle does the same, but
    /// cannot report a failure.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), LocalError> {
        let Some(in_use) = self.in_use.take() else {
            return Ok(());
        };
        let _deciding = Lock::exclusive(&self.data_dir.join(DECISION_LOCK))?;
        drop(in_use);
        match Lock::try_exclusive(&self.data_dir.join(USERS_LOCK))? {
            Some(_no_other_user) => {
                running::stop(&self.cluster_dir)?;
                // A directory that was created for the socket is empty now; the cluster's own never is.
                let _ = fs::remove_dir(&self.socket_dir);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
