//! Why the private server cannot be started, as sentences that say what to do. The command line shows them.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use super::options::OLDEST_MAJOR;

#[derive(Debug)]
pub enum LocalError {
    NotInstalled,
    OtherVersion {
        cluster: PathBuf,
        major: u32,
    },
    /// Started as root, and there is no system user to run the server.
    NoSystemUser,
    NotACluster(PathBuf),
    ClusterGone {
        link: PathBuf,
        cluster: PathBuf,
    },
    OwnedByOther {
        cluster: PathBuf,
        uid: u32,
    },
    NoSocketDir(PathBuf),
    InitFailed(String),
    /// The server ended during its start; `last_words` are the end of its log.
    Died {
        log: PathBuf,
        last_words: String,
    },
    NotReady {
        log: PathBuf,
        last_words: String,
    },
    /// A server answers on the socket, but none of the visible processes serves this cluster.
    ServedElsewhere(PathBuf),
    NotStopping {
        cluster: PathBuf,
        pid: i32,
    },
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl LocalError {
    /// For `map_err`: `doing` completes "Could not …".
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| LocalError::Io { doing, path: path.to_owned(), source }
    }
}

impl Display for LocalError {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::NotInstalled => write!(
                f,
                "PostgreSQL {OLDEST_MAJOR} or newer is not installed: run `sudo apt-get install \
                 postgresql` (Debian, Ubuntu) or `brew install postgresql@17` (macOS), or set \
                 DATABASE_URL to use a server you already have."
            ),
            Self::OtherVersion { cluster, major } => write!(
                f,
                "The database in {} was made by PostgreSQL {major}, which is not installed: \
                 install PostgreSQL {major}, or move the database with pg_upgrade.",
                cluster.display()
            ),
            Self::NoSystemUser => write!(
                f,
                "PostgreSQL does not run as root, and this system has neither a user `postgres` \
                 nor `nobody` to run it as: start Latchkey as an ordinary user."
            ),
            Self::NotACluster(path) => write!(
                f,
                "{} is not a PostgreSQL database: move it away to let Latchkey create one there.",
                path.display()
            ),
            Self::ClusterGone { link, cluster } => write!(
                f,
                "The database in {} is gone: restore it, or remove {} to start with an empty one.",
                cluster.display(),
                link.display()
            ),
            Self::OwnedByOther { cluster, uid } => write!(
                f,
                "The database in {} belongs to another user (uid {uid}): start Latchkey as that \
                 user or as root, or choose another data directory.",
                cluster.display()
            ),
            Self::NoSocketDir(dir) => write!(
                f,
                "{} must be a directory that only PostgreSQL's user can enter, and it is not: \
                 remove it, or choose a data directory with a shorter path.",
                dir.display()
            ),
            Self::InitFailed(output) => {
                write!(f, "PostgreSQL could not create its database: {output}")
            }
            Self::Died { log, last_words } => {
                write!(f, "PostgreSQL did not start. The end of {}: {last_words}", log.display())
            }
            Self::NotReady { log, last_words } => write!(
                f,
                "PostgreSQL is still not ready (after a crash it may take a while): try again in a \
                 minute. The end of {}: {last_words}",
                log.display()
            ),
            Self::ServedElsewhere(cluster) => write!(
                f,
                "The database in {} is in use by another container: stop that one first, or give \
                 each its own data directory.",
                cluster.display()
            ),
            Self::NotStopping { cluster, pid } => write!(
                f,
                "PostgreSQL (process {pid}) is still stopping. Nothing is lost: leave it to finish \
                 writing to {}.",
                cluster.display()
            ),
            Self::Io { doing, path, source } => write!(f, "Could not {doing} {}: {source}.", path.display()),
        }
    }
}

impl std::error::Error for LocalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
