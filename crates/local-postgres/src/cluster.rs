//! A cluster: the data directory of one PostgreSQL server.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::LocalError;
use super::owner::ClusterOwner;

/// The only database user. The server requires no password of it.
pub const SUPERUSER: &str = "latchkey";

pub struct Cluster {
    pub dir: PathBuf,
    pub owner: ClusterOwner,
    pub major: u32,
}

pub fn open(entrance: &Path) -> Result<Cluster, LocalError> {
    let dir = entrance.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => LocalError::ClusterGone {
            cluster: entrance.read_link().unwrap_or_else(|_| entrance.to_owned()),
            link: entrance.to_owned(),
        },
        _ => LocalError::io("open", entrance)(error),
    })?;
    let owner = ClusterOwner::of_the_cluster(&dir)?;
    let major = fs::read_to_string(dir.join("PG_VERSION"))
        .ok()
        .and_then(|version| version.trim().parse().ok())
        .ok_or_else(|| LocalError::NotACluster(dir.clone()))?;
    Ok(Cluster { dir, owner, major })
}

/// Sixteen hexadecimal digits that identify a path, for names of files elsewhere.
pub fn short_hash(path: &Path) -> String {
    HEXLOWER.encode(&Sha256::digest(path.as_os_str().as_bytes())[..8])
}
