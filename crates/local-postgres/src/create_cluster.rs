//! Creates the cluster, the directory that contains all databases, once with PostgreSQL's `initdb`. The caller holds
//! the decision lock.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::geteuid;

use super::binaries::{self, Binaries};
use super::cluster::{Cluster, SUPERUSER, open, short_hash};
use super::owner::ClusterOwner;
use super::{LocalError, LocalPostgresOptions, running};

/// The parent of root's clusters that cannot be in the data directory itself.
const SYSTEM_HOME: &str = "/var/lib/latchkey";

/// Returns the canonical path, so that every spelling of it leads to the same cluster and locks.
pub fn create_data_dir(dir: &Path) -> Result<PathBuf, LocalError> {
    // If we are root, the server's user has to pass through, but need not list the directory.
    let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(dir)
        .and_then(|()| dir.canonicalize())
        .map_err(LocalError::io("create the data directory", dir))
}

pub fn open_or_create(data_dir: &Path, options: &LocalPostgresOptions) -> Result<Cluster, LocalError> {
    let entrance = data_dir.join("postgres");
    match entrance.symlink_metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => create(&entrance, options)?,
        Err(error) => return Err(LocalError::io("look at", &entrance)(error)),
    }
    open(&entrance)
}

/// Creates the cluster under a temporary name and renames it, so that an interruption leaves no incomplete cluster.
fn create(entrance: &Path, options: &LocalPostgresOptions) -> Result<(), LocalError> {
    let owner = ClusterOwner::of_a_new_cluster()?;
    let binaries = binaries::any(options.bin_dirs)?;
    let dir = place_for(entrance, owner)?;
    if dir != entrance {
        set_aside(&dir)?;
    }
    remove_leftovers(&dir);
    let unfinished = with_suffix(&dir, &format!("new-{}-{}", process::id(), unix_time()));
    initialise(&unfinished, owner, &binaries, options)?;
    fs::rename(&unfinished, &dir).map_err(LocalError::io("create", &dir))?;
    sync_parent(&dir)?;
    if dir != entrance {
        symlink(&dir, entrance).map_err(LocalError::io("create the link", entrance))?;
        sync_parent(entrance)?;
    }
    Ok(())
}

/// The data directory, unless the server's user cannot reach it, for example below /root.
fn place_for(entrance: &Path, owner: ClusterOwner) -> Result<PathBuf, LocalError> {
    match entrance.parent() {
        Some(data_dir) if !owner.can_reach(data_dir) => DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(SYSTEM_HOME)
            .and_then(|()| Path::new(SYSTEM_HOME).canonicalize())
            .map(|home| home.join(short_hash(data_dir)))
            .map_err(LocalError::io("create", Path::new(SYSTEM_HOME))),
        _ => Ok(entrance.to_owned()),
    }
}

/// Moves a cluster aside that no link leads to: its data directory was deleted to start afresh. It must not be used
/// again, and deleting it is left to the user.
fn set_aside(dir: &Path) -> Result<(), LocalError> {
    if !dir.exists() {
        return Ok(());
    }
    running::stop(dir)?;
    fs::rename(dir, with_suffix(dir, &format!("old-{}", unix_time())))
        .map_err(LocalError::io("set aside", dir))
}

/// Removes what interrupted attempts left behind. Errors are ignored, because the remains do no harm.
fn remove_leftovers(dir: &Path) {
    let prefix = with_suffix(dir, "new-");
    let siblings = dir.parent().and_then(|parent| fs::read_dir(parent).ok());
    for entry in siblings.into_iter().flatten().flatten() {
        let path = entry.path();
        if path.as_os_str().as_bytes().starts_with(prefix.as_os_str().as_bytes()) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn initialise(
    dir: &Path,
    owner: ClusterOwner,
    binaries: &Binaries,
    options: &LocalPostgresOptions,
) -> Result<(), LocalError> {
    let mut complaint = String::new();
    // Not every system has C.UTF-8. Both sort in the same order; C maps only ASCII to upper case.
    for locale in ["C.UTF-8", "C"] {
        owner.create_private_dir(dir).map_err(LocalError::io("create", dir))?;
        let mut initdb = owner.command(&binaries.initdb);
        initdb.arg("--pgdata").arg(dir).args([
            "--encoding=UTF8",
            &format!("--locale={locale}"),
            &format!("--username={SUPERUSER}"),
            "--auth-local=trust",
            "--auth-host=reject",
            "--data-checksums",
            "--no-instructions",
        ]);
        if options.settings.contains(&("fsync", "off")) {
            initdb.arg("--no-sync");
        }
        let output = initdb.output().map_err(LocalError::io("run", &binaries.initdb))?;
        if output.status.success() {
            return Ok(());
        }
        complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let _ = fs::remove_dir_all(dir);
    }
    Err(LocalError::InitFailed(complaint))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// After a power failure, a rename or a new link is there only if its directory was synced.
fn sync_parent(path: &Path) -> Result<(), LocalError> {
    path.parent().map_or(Ok(()), |parent| {
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(LocalError::io("write", parent))
    })
}
