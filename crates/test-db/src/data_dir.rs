//! A directory with its own private server, for tests that stop or kill the server.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A data directory for a private server. A server that still runs there is killed with this value.
pub struct DataDir(PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        Self::new()
    }
}

impl DataDir {
    pub fn new() -> Self {
        let name = super::random_hex::<6>();
        let path = std::env::temp_dir().join(format!("latchkey-it-{name}"));
        fs::DirBuilder::new().mode(0o711).create(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// The private Postgres, if it runs.
    pub fn postgres(&self) -> Option<Pid> {
        let pid: i32 = self.read("postgres/postmaster.pid").lines().next()?.parse().ok()?;
        kill(Pid::from_raw(pid), None).ok().map(|()| Pid::from_raw(pid))
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Some(pid) = self.postgres() {
            let _ = kill(pid, Signal::SIGQUIT);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}
