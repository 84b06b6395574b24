//! An unexpected failure. Whoever meets one passes it up with `?`; the web layer logs it once.

use std::fmt;

use diesel::result::{DatabaseErrorKind, Error};

#[derive(Debug, Clone)]
pub enum Fault {
    /// The database cannot be asked right now: come back in a moment (503).
    Unavailable(String),
    /// The connection died under the statement, or leads to a server that only reads (503); it has left the pool.
    LostConnection(String),
    /// Too much to do: come back after so many seconds (503).
    Busy { retry_after: u64 },
    /// Something that should not happen (500).
    Bug(String),
}

impl Fault {
    pub fn bug(error: impl fmt::Display) -> Self {
        Self::Bug(error.to_string())
    }

    pub fn is_lost_connection(&self) -> bool {
        matches!(self, Self::LostConnection(_))
    }

    /// Sorts what Diesel says into what the caller can do about it.
    pub fn from_diesel(error: &Error) -> Self {
        let text = error.to_string();
        match error {
            // A server that only reads (25006) is not the one we want to talk to: after a failover it is the old one.
            Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            )
            | Error::BrokenTransactionManager => Self::LostConnection(text),
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Unavailable(text),
            // Diesel passes the SQLSTATE on for the kinds above, and for all others the server's words. They are English
            // unless `lc_messages` says otherwise, which `latchkey doctor` looks at (`database.messages`).
            Error::DatabaseError(DatabaseErrorKind::Unknown, _) if ends_the_connection(&text) => {
                Self::LostConnection(text)
            }
            // Somebody else's, on a connection that was ours a moment ago.
            Error::DatabaseError(DatabaseErrorKind::Unknown, _) if text.contains("prepared statement \"") => {
                Self::Unavailable(format!(
                    "{text}: behind a pooler in transaction mode set LATCHKEY__DATABASE__POOLER=transaction"
                ))
            }
            Error::DatabaseError(DatabaseErrorKind::Unknown, _) if is_passing(&text) => {
                Self::Unavailable(text)
            }
            // What went wrong first is what counts.
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::from_diesel(commit_error),
            _ => Self::Bug(text),
        }
    }
}

/// 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now, 08*: the server went away; and what PgBouncer
/// says before it hangs up.
fn ends_the_connection(text: &str) -> bool {
    [
        "terminating connection",
        "server closed the connection",
        "connection to server",
        "SSL SYSCALL",
        "no connection to the server",
        "server conn crashed",
        "server login",
        "cannot connect to server",
        "query_wait_timeout",
        "the database system is",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// 57014 query_canceled by a timeout, 55P03 lock_not_available, 40P01 deadlock, 53* resources, 58* the server's own files
/// (a full disk may show there alone: what it says of "no space" is then in the detail, which is not passed on).
fn is_passing(text: &str) -> bool {
    [
        "statement timeout",
        "lock timeout",
        "deadlock detected",
        "could not extend file",
        "could not access status of transaction",
        "could not write",
        "could not create file",
        "could not fsync",
        "No space left",
        "too many clients",
        "out of memory",
    ]
    .iter()
    .any(|words| text.contains(words))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::from_diesel(&error)
    }
}

impl From<getrandom::Error> for Fault {
    fn from(error: getrandom::Error) -> Self {
        Self::Bug(format!("the system's random generator: {error}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(text) | Self::LostConnection(text) | Self::Bug(text) => f.write_str(text),
            Self::Busy { retry_after } => write!(f, "too busy, retry after {retry_after} s"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said by Postgres 15 to 17 and PgBouncer in the runs of bin/faults and bin/cluster.
    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        let fault = |words: &str| {
            Fault::from_diesel(&Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(words.to_owned())))
        };
        for words in [
            "could not access status of transaction 0",
            "could not extend file \"base/5/16442\": No space left on device",
            "could not write to file \"pg_wal/xlogtemp.71\": No space left on device",
            "canceling statement due to statement timeout",
        ] {
            assert!(matches!(fault(words), Fault::Unavailable(_)), "{words}");
        }
        for words in ["terminating connection due to administrator command", "server conn crashed?"] {
            assert!(matches!(fault(words), Fault::LostConnection(_)), "{words}");
        }
        for words in ["relation \"sessions\" does not exist", "could not determine which collation to use"] {
            assert!(matches!(fault(words), Fault::Bug(_)), "{words}");
        }
    }
}
