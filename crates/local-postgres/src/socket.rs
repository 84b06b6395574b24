//! The directory of the server's unix socket, which is the server's only protection: a user who
//! can enter it is let in without a password. Used by `local` only.

use std::env;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LocalError;
use super::cluster::{Cluster, short_hash};

/// Names the socket file; nothing listens on a port.
pub const PORT: u16 = 5432;

/// The kernel's limit for a socket's path on macOS; Linux allows four bytes more.
const LONGEST_PATH: usize = 103;

/// The only message that gets an answer without naming a user and a database: its length, 8, and
/// the code 1234.5679.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const LONGEST_ANSWER: Duration = Duration::from_secs(2);

/// The cluster's own directory where its path is short and plain enough, else one in the
/// temporary directory that is named after it.
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

/// Plain enough to stand unquoted in PostgreSQL's comma-separated list of socket directories.
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

/// Whether a working server is there. A connection alone would not tell: the kernel accepts it on
/// behalf of a server that is being killed or hangs.
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
