//! The results of the measurements, as numbers.

use std::time::Duration;

use crate::db::Fault;
use crate::lab::jwt::Algorithm;

/// The result of all rounds. Times start just before COMMIT is sent, so that the commit is included.
pub struct Stopwatch {
    pub rounds: usize,
    /// Until the first refusal by the instance that revoked.
    pub revoking_instance: Spread,
    /// Until the first refusal by the other instance.
    pub other_instance: Spread,
    /// Until the caller of the revocation had its answer.
    pub acknowledged: Spread,
    /// Session checks that started after that answer, and how many of them still admitted the session.
    pub checks_after: u64,
    pub admitted_after: u64,
    /// Until the first refusal of the token by a service that reads the deny-list in the database at each check.
    pub deny_list: Spread,
    /// How often the token was accepted without a deny-list after that answer, and for how long it is valid.
    pub token_accepted_after: u64,
    pub token_life: Duration,
    /// All checks together.
    pub checks: u64,
    pub took: Duration,
}

/// The median and the maximum of all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub p50: Duration,
    pub max: Duration,
}

impl Spread {
    pub(super) fn of(mut times: Vec<Duration>) -> Result<Self, Fault> {
        times.sort_unstable();
        let p50 = times.get(times.len().saturating_sub(1) / 2).copied();
        match (p50, times.last()) {
            (Some(p50), Some(max)) => Ok(Self { p50, max: *max }),
            _ => Err(Fault::Bug("a measurement without a round".into())),
        }
    }
}

pub struct Cost {
    /// In the order of [`CheckKind::ALL`].
    pub checks: Vec<CheckCost>,
    /// In the order of [`Operation::ALL`].
    pub operations: Vec<OperationCost>,
    pub rounds: usize,
    pub took: Duration,
}

/// A way to find out who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    SessionFromMemory,
    SessionFromDatabase,
    Token(Algorithm),
    TokenWithDenyList(Algorithm),
}

impl CheckKind {
    pub const ALL: [Self; 6] = [
        Self::SessionFromMemory,
        Self::SessionFromDatabase,
        Self::Token(Algorithm::Hs256),
        Self::Token(Algorithm::EdDsa),
        Self::TokenWithDenyList(Algorithm::Hs256),
        Self::TokenWithDenyList(Algorithm::EdDsa),
    ];

    pub fn is_session(self) -> bool {
        matches!(self, Self::SessionFromMemory | Self::SessionFromDatabase)
    }
}

/// What one kind of check costs.
pub struct CheckCost {
    pub kind: CheckKind,
    /// The length of the cookie's value, in each request.
    pub bytes: usize,
    /// The median of one check, from the received text to the verdict.
    pub microseconds: f64,
}

/// An operation that may write to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    LogIn,
    Check,
    Refresh,
    LogOut,
}

impl Operation {
    pub const ALL: [Self; 4] = [Self::LogIn, Self::Check, Self::Refresh, Self::LogOut];
}

/// What one operation writes. `None` if the side has no such operation.
pub struct OperationCost {
    pub operation: Operation,
    pub session: Option<RowWrites>,
    pub token: Option<RowWrites>,
    pub token_with_deny_list: Option<RowWrites>,
}

/// Rows written, as Postgres counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowWrites {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

impl RowWrites {
    pub fn rows(self) -> i64 {
        self.inserted + self.updated + self.deleted
    }
}
