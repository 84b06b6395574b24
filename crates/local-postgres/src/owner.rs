//! The user who owns the cluster's files and runs its processes: the current user or, because PostgreSQL refuses to run
//! as root, an unprivileged one.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, getegid, geteuid};

use super::LocalError;

/// In order of preference; every system has the second.
const SYSTEM_USERS: [&str; 2] = ["postgres", "nobody"];

#[derive(Clone, Copy)]
pub struct ClusterOwner {
    pub uid: u32,
    gid: u32,
}

impl ClusterOwner {
    pub fn of_a_new_cluster() -> Result<Self, LocalError> {
        if !geteuid().is_root() {
            return Ok(ClusterOwner { uid: geteuid().as_raw(), gid: getegid().as_raw() });
        }
        SYSTEM_USERS
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| ClusterOwner { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
            .ok_or(LocalError::NoSystemUser)
    }

    /// An existing cluster keeps its owner, even if a preferred system user was created since.
    pub fn of_the_cluster(dir: &Path) -> Result<Self, LocalError> {
        let found = fs::metadata(dir).map_err(LocalError::io("look at", dir))?;
        let (uid, gid) = (found.uid(), found.gid());
        if geteuid().is_root() || geteuid() == Uid::from_raw(uid) {
            return Ok(ClusterOwner { uid, gid });
        }
        Err(LocalError::OwnedByOther { cluster: dir.to_owned(), uid })
    }

    /// A command that runs one of PostgreSQL's programs as this user, without a terminal.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // A clean environment: PG* variables cannot affect the private server, and Latchkey's secrets are not passed on
        // to its processes.
        command.env_clear().env("LC_ALL", "C");
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // The programs read their working directory, which this user may not be able to reach.
        command.current_dir("/").stdin(Stdio::null());
        if geteuid().as_raw() != self.uid {
            // Setting the uid as root also drops root's supplementary groups.
            command.gid(self.gid).uid(self.uid);
        }
        command
    }

    /// Creates a directory that only this user can enter.
    pub fn create_private_dir(self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(dir)?;
        if geteuid().as_raw() == self.uid {
            return Ok(());
        }
        chown(dir, Some(self.uid), Some(self.gid))
    }

    /// The same, but accepts an existing directory if its type, owner and mode are right: in a shared directory such as
    /// /tmp any user may have created it.
    pub fn ensure_private_dir(self, dir: &Path) -> Result<(), LocalError> {
        match self.create_private_dir(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => return other.map_err(LocalError::io("create", dir)),
        }
        match fs::symlink_metadata(dir) {
            Ok(found) if self.alone_can_enter(&found) => Ok(()),
            _ => Err(LocalError::NoSocketDir(dir.to_owned())),
        }
    }

    fn alone_can_enter(self, found: &Metadata) -> bool {
        found.is_dir() && found.uid() == self.uid && found.mode() & 0o077 == 0
    }

    /// Whether this user can pass through `dir` and all its parents.
    pub fn can_reach(self, dir: &Path) -> bool {
        dir.ancestors().all(|part| fs::metadata(part).is_ok_and(|found| self.may_pass(&found)))
    }

    fn may_pass(self, found: &Metadata) -> bool {
        let bit = match () {
            () if found.uid() == self.uid => 0o100,
            () if found.gid() == self.gid => 0o010,
            () => 0o001,
        };
        found.mode() & bit != 0
    }
}
