//! The directory of the server's Unix socket. It is the server's only protection: every user who can enter it can
//! connect without a password.

use std::env;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LocalError;
use super::cluster::{Cluster, short_hash};

/// The port number in the name of the socket file; the server listens on no TCP port.
pub const PORT: u16 = 5432;

/// The limit of macOS for a socket's path; Linux allows four bytes more.
const LONGEST_PATH: usize = 103;

/// The only message that is answered before a user and a database are named: its length, 8, and the code 1234.5679
/// (SSLRequest).
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const LONGEST_ANSWER: Duration = Duration::from_secs(2);

/// The cluster's own directory if its path is short and plain enough, otherwise one in the temporary directory that is
/// named after the cluster.
pub fn private_dir(cluster: &Cluster) -> Result<PathBuf, LocalError> {
    if is_short_and_plain(&cluster.dir) {
        return Ok(cluster.dir.clone());
    }
    let temp = Some(env::temp_dir())
        .and_then(|dir| dir.canonicalize().ok())
        .filter(|dir| cluster.owner.can_reach(dir))
        .map(|dir| named_after(cluster, &dir))
        .filter(|dir| is_short_and_plain(dir));
    let dir = temp.unwrap_or_else(|| named_after(cluster, Path::new("/tmp")));
    cluster.owner.ensure_private_dir(&dir)?;
    Ok(dir)
}

/// Whether the path needs no quotes in PostgreSQL's comma-separated list of socket directories.
fn is_short_and_plain(dir: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b",\"'\\".contains(byte);
    let path = path_in(dir);
    path.as_os_str().len() <= LONGEST_PATH && path.as_os_str().as_bytes().iter().all(plain)
}

fn named_after(cluster: &Cluster, parent: &Path) -> PathBuf {
    parent.join(format!("latchkey-{}", short_hash(&cluster.dir)))
}

pub fn has_listener(dir: &Path) -> bool {
    UnixStream::connect(path_in(dir)).is_ok()
}

/// Whether a working server listens there. A successful connection does not prove it: the kernel also accepts
/// connections for a server that hangs or is being killed.
pub fn answers(dir: &Path) -> bool {
    let ask = || {
        let mut stream = UnixStream::connect(path_in(dir))?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        stream.write_all(&TLS_REQUEST)?;
        stream.read_exact(&mut [0])
    };
    ask().is_ok()
}

pub fn lock_file_in(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}.lock"))
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}
