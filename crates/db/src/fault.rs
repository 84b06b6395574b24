//! Unexpected failures. Callers pass them up with `?`; the outermost layer logs each once.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error};

/// An unexpected failure, classified by what the caller can do about it. Cloning shares the source.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The database does not answer at the moment: try again soon (HTTP 503).
    #[error("{0}")]
    Unavailable(#[source] Cause),
    /// The connection broke while a statement ran, or it leads to a read-only server (HTTP 503). It has left the pool.
    #[error("{0}")]
    LostConnection(#[source] Cause),
    /// The server is too busy: try again in that many seconds (HTTP 503).
    #[error("too busy, retry after {retry_after} s")]
    Busy {
        /// Seconds.
        retry_after: u64,
    },
    /// A bug in the program or invalid data (HTTP 500).
    #[error("{0}")]
    Bug(#[source] Cause),
}

/// What happened, as text, and the error that caused it, if there is one.
#[derive(Clone, Debug)]
pub struct Cause {
    text: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Cause {
    /// `text` says what happened; `source` is the error that caused it.
    pub fn new(text: impl Into<String>, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { text: text.into(), source: Some(Arc::new(source)) }
    }

    /// What happened.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self { text, source: None }
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl Fault {
    /// A [`Fault::Bug`] with the text of `error`.
    pub fn bug(error: impl fmt::Display) -> Self {
        Self::Bug(error.to_string().into())
    }

    /// Whether the connection broke while the statement ran, so that another connection may work.
    pub fn is_lost_connection(&self) -> bool {
        matches!(self, Self::LostConnection(_))
    }
}

/// What the caller can do about an error of Diesel.
enum Remedy {
    TryLater(Option<&'static str>),
    Reconnect,
    Mend,
}

fn remedy(error: &Error) -> Remedy {
    match error {
        // Diesel determines these kinds by SQLSTATE (08000, 08001, 08004, 08006, 25006) or by the state of the
        // connection.
        // A read-only server (25006) is as useless as a dead one: after a failover, it is the former primary.
        Error::DatabaseError(
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        )
        | Error::BrokenTransactionManager => Remedy::Reconnect,
        // SQLSTATE 40001.
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Remedy::TryLater(None),
        // Diesel does not expose the SQLSTATE of other errors, so only the message is left. It is in English unless
        // `lc_messages` of the server says otherwise.
        Error::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            let text = information.message();
            if ENDS_THE_CONNECTION.iter().any(|words| text.contains(words)) {
                Remedy::Reconnect
            } else if text.contains("prepared statement \"") {
                // The prepared statement of another client, on a server connection that a pooler had assigned to us
                // before.
                Remedy::TryLater(Some("behind a pooler in transaction mode, set the pooler to `transaction`"))
            } else if PASSES.iter().any(|words| text.contains(words)) {
                Remedy::TryLater(None)
            } else {
                Remedy::Mend
            }
        }
        // Report the first error.
        Error::RollbackErrorOnCommit { commit_error, .. } => remedy(commit_error),
        _ => Remedy::Mend,
    }
}

/// 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now, the rest of class 08, and the messages of
/// PgBouncer before it disconnects.
const ENDS_THE_CONNECTION: [&str; 10] = [
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
];

/// 57014 query_canceled by a timeout, 55P03 lock_not_available, 40P01 deadlock_detected, class 53 (resources) and class
/// 58 (the server's own files). A full disk may show in class 58 alone: "no space" is then in the detail.
const PASSES: [&str; 11] = [
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
];

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = match &error {
            Error::RollbackErrorOnCommit { commit_error, .. } => commit_error.to_string(),
            error => error.to_string(),
        };
        match remedy(&error) {
            Remedy::Reconnect => Self::LostConnection(Cause::new(text, error)),
            Remedy::TryLater(None) => Self::Unavailable(Cause::new(text, error)),
            Remedy::TryLater(Some(advice)) => {
                Self::Unavailable(Cause::new(format!("{text}: {advice}"), error))
            }
            Remedy::Mend => Self::Bug(Cause::new(text, error)),
        }
    }
}

impl From<getrandom::Error> for Fault {
    fn from(error: getrandom::Error) -> Self {
        Self::Bug(Cause::new(format!("the operating system's random generator failed: {error}"), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: DatabaseErrorKind, message: &str) -> Fault {
        Error::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    /// Messages of Postgres 15 to 17 and PgBouncer, recorded from provoked failures.
    #[test]
    fn failures_that_pass_are_told_from_mistakes() {
        let unknown = |message| fault(DatabaseErrorKind::Unknown, message);
        for message in [
            "could not access status of transaction 0",
            "could not extend file \"base/5/16442\": No space left on device",
            "could not write to file \"pg_wal/xlogtemp.71\": No space left on device",
            "canceling statement due to statement timeout",
            "prepared statement \"__diesel_stmt_0\" does not exist",
        ] {
            assert!(matches!(unknown(message), Fault::Unavailable(_)), "{message}");
        }
        for message in ["terminating connection due to administrator command", "server conn crashed?"] {
            assert!(matches!(unknown(message), Fault::LostConnection(_)), "{message}");
        }
        for message in ["relation \"sessions\" does not exist", "could not determine which collation to use"]
        {
            assert!(matches!(unknown(message), Fault::Bug(_)), "{message}");
        }
    }

    #[test]
    fn where_diesel_knows_the_sqlstate_the_language_of_the_message_does_not_matter() {
        use DatabaseErrorKind::{
            ClosedConnection, ReadOnlyTransaction, SerializationFailure, UniqueViolation,
        };
        let said = "Wort für Wort";
        assert!(matches!(fault(SerializationFailure, said), Fault::Unavailable(_)));
        for kind in [ClosedConnection, ReadOnlyTransaction] {
            assert!(fault(kind, said).is_lost_connection());
        }
        // Even if the message resembles another kind.
        assert!(matches!(fault(UniqueViolation, "lock timeout"), Fault::Bug(_)));
    }

    #[test]
    fn a_fault_keeps_the_error_it_came_from() {
        let fault = fault(DatabaseErrorKind::Unknown, "no such thing").clone();
        let cause = fault.source().expect("a cause");
        let source = cause.source().expect("Diesel's error");
        assert!(source.downcast_ref::<Error>().is_some(), "{source:?}");
        assert_eq!(fault.to_string(), "no such thing");
    }
}
