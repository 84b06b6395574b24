//! The labels and numbers of the stopwatch and the cost, in words.

use std::time::Duration;

use crate::lab::jwt::Algorithm;
use crate::lab::{CheckKind, Operation, RowWrites};

pub const REVOKING_INSTANCE: &str = "Session, revoking server";
pub const OTHER_INSTANCE: &str = "Session, other server";
pub const ACKNOWLEDGED: &str = "Revocation acknowledged";
pub const DENY_LIST: &str = "Token, with a deny-list in the database";
pub const NO_DENY_LIST: &str = "Token, without a deny-list";

pub const STOPWATCH_CHART: &str = "Time until a revocation takes effect";
pub const TIME_CHART: &str = "Time for one check";
pub const BYTES_CHART: &str = "Bytes in each request";

/// The bars of the chart of bytes. A deny-list adds nothing to a request, nor does the place a session is read from.
pub const BYTES: [(CheckKind, &str); 3] = [
    (CheckKind::SessionFromDatabase, "Session"),
    (CheckKind::Token(Algorithm::Hs256), "Token, HS256"),
    (CheckKind::Token(Algorithm::EdDsa), "Token, EdDSA"),
];

pub fn check(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::SessionFromMemory => "Session, from memory",
        CheckKind::SessionFromDatabase => "Session, from the database",
        CheckKind::Token(Algorithm::Hs256) => "Token, HS256",
        CheckKind::Token(Algorithm::EdDsa) => "Token, EdDSA",
        CheckKind::TokenWithDenyList(Algorithm::Hs256) => "Token, HS256, with deny-list",
        CheckKind::TokenWithDenyList(Algorithm::EdDsa) => "Token, EdDSA, with deny-list",
    }
}

/// What each server needs so that several servers can check.
pub fn to_scale_out(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::SessionFromMemory => "the database, and a connection that listens for revocations",
        CheckKind::SessionFromDatabase => "the database",
        CheckKind::Token(Algorithm::Hs256) => "the shared secret, with which each server could sign",
        CheckKind::Token(Algorithm::EdDsa) => "the public key",
        CheckKind::TokenWithDenyList(Algorithm::Hs256) => "the shared secret, and the database",
        CheckKind::TokenWithDenyList(Algorithm::EdDsa) => "the public key, and the database",
    }
}

pub fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::LogIn => "Log-in",
        Operation::Check => "Check",
        Operation::Refresh => "Refresh",
        Operation::LogOut => "Log-out",
    }
}

pub fn row_writes(writes: Option<RowWrites>) -> String {
    let Some(RowWrites { inserted, updated, deleted }) = writes else { return "not needed".into() };
    let parts = [(inserted, "inserted"), (updated, "updated"), (deleted, "deleted")];
    let parts: Vec<_> =
        parts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}")).collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

/// A measured time: "2.4 ms", "5 minutes".
pub fn measured(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        _ => format!("{} minutes", time.as_secs() / 60),
    }
}

/// A revocation can come at any moment of a token's life, so the wait is up to all of it.
pub fn up_to(life: &str) -> String {
    format!("up to {life}")
}

pub fn microseconds(time: f64) -> String {
    if time < 10.0 { format!("{time:.1} µs") } else { format!("{time:.0} µs") }
}

pub fn bytes(count: usize) -> String {
    format!("{count} bytes")
}
