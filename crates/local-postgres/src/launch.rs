//! Starts the server's process.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use nix::sys::signal::kill;

use super::cluster::Cluster;
use super::{LocalError, binaries, log, running, socket};

/// Set explicitly even where they are PostgreSQL's defaults, so that an edited `postgresql.conf` cannot open a port or
/// lose an acknowledged write.
const SETTINGS: [(&str, &str); 15] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("max_connections", "100"),
    // Many times more than the accounts of a small site need.
    ("shared_buffers", "64MB"),
    ("max_wal_size", "256MB"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    // Omits the lines that quote values, such as an email address that is taken.
    ("log_error_verbosity", "terse"),
    ("cluster_name", "latchkey"),
];

pub struct Launch<'a> {
    pub cluster: &'a Cluster,
    pub log: &'a Path,
    pub settings: &'a [(&'a str, &'a str)],
    pub bin_dirs: Option<&'a [PathBuf]>,
}

impl Launch<'_> {
    /// `None` if a server answers on the socket that is not one of our processes: try again later.
    pub fn spawn(&self) -> Result<Option<Child>, LocalError> {
        let cluster = self.cluster;
        let socket_dir = socket::private_dir(cluster)?;
        // Two containers that share a volume do not see each other's processes, and two servers in one cluster would
        // destroy it.
        if socket::has_listener(&socket_dir) {
            return Ok(None);
        }
        let binaries = binaries::of_major(cluster.major, self.bin_dirs)
            .ok_or_else(|| LocalError::OtherVersion { cluster: cluster.dir.clone(), major: cluster.major })?;
        disown(&running::pid_file(&cluster.dir), &cluster.dir)?;
        disown(&socket::lock_file_in(&socket_dir), &cluster.dir)?;

        let mut postgres = cluster.owner.command(&binaries.postgres);
        postgres.arg("-D").arg(&cluster.dir);
        postgres.arg("-k").arg(&socket_dir);
        postgres.arg("-p").arg(socket::PORT.to_string());
        for (name, value) in SETTINGS.iter().chain(self.settings) {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        // In its own process group, so that Ctrl-C reaches only Latchkey, which stops the server last.
        postgres.process_group(0);
        log::open(self.log)
            .and_then(|log| postgres.stdout(log.try_clone()?).stderr(log).spawn())
            .map(Some)
            .map_err(LocalError::io("run", &binaries.postgres))
    }
}

/// Removes a dead server's lock file if its pid now belongs to another program: PostgreSQL would take that for the
/// server and refuse to start. It handles all other stale files itself.
fn disown(lock_file: &Path, cluster_dir: &Path) -> Result<(), LocalError> {
    let is_strangers = fs::read(lock_file)
        .ok()
        .and_then(|content| running::pid_in(&content))
        .is_some_and(|pid| kill(pid, None).is_ok() && !running::works_in(pid, cluster_dir));
    if is_strangers {
        fs::remove_file(lock_file).map_err(LocalError::io("remove", lock_file))?;
    }
    Ok(())
}
