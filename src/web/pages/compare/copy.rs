//! Every sentence of the compare pages that depends on data. The domain returns codes and numbers; only these files
//! and the templates word them. Here: verdicts.

pub mod live;
pub mod measurements;
pub mod narration;

use std::time::Duration;

use crate::lab::jwt::Refusal;
use crate::lab::{DenyList, Holder, Reason, RunLimit, Service};

/// Without a full stop, because the moment may follow: "The session was revoked 2 minutes ago".
pub fn reason(reason: &Reason) -> String {
    let text = match reason {
        Reason::SessionLive => "The database has a live session with this key",
        Reason::SessionMissing => "The request had no session cookie",
        Reason::SessionUnsigned => "This server did not sign the cookie, so the database was not queried",
        Reason::SessionUnknown => "The database has no session with this key",
        Reason::SessionRevoked => "The session was revoked",
        Reason::SessionExpired => "The session expired",
        Reason::SubjectDisabled => "The lookup finds no session, because the user was disabled",
        Reason::TokenValid => "The signature and the claims are valid",
        Reason::TokenMissing => "The request had no token",
        Reason::TokenRefused(refusal) => return token_refusal(refusal),
        Reason::TokenOfOtherSubject => "The token was issued for another user",
        Reason::TokenUnreadable => "The token has an unknown role or no valid id",
        Reason::DeniedInMemory => "The token's id is on the deny-list in this service's memory",
        Reason::DeniedInDatabase => "The token's id was put on the deny-list in the database",
    };
    text.to_owned()
}

fn token_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed => "This is not a well-formed token".to_owned(),
        Refusal::Algorithm { found } => {
            format!("The token is signed with {found:?}, which is not accepted here")
        }
        Refusal::Type { found } => format!("The token has the type {found:?}, which is not accepted here"),
        Refusal::UnknownKey => "The token names a signing key that is not accepted here".to_owned(),
        Refusal::Signature => "The token's signature is not valid".to_owned(),
        Refusal::Expired { .. } => "The token expired".to_owned(),
        Refusal::NotYet => "The token was issued in the future".to_owned(),
        Refusal::Issuer => "The token is from another issuer".to_owned(),
        Refusal::Audience => "The token was issued for another service".to_owned(),
    }
}

/// For a browser without a run.
pub const NO_RUN: &str = "No run is open in this browser";

/// The head of a row of verdicts. The service is named only if there are two.
pub fn presenter(holder: Holder, service: Service, split: bool) -> String {
    let holder = match holder {
        Holder::Browser => "Your browser",
        Holder::Thief => "The thief's browser",
    };
    match (split, service) {
        (false, _) => holder.to_owned(),
        (true, Service::Shop) => format!("{holder}, at the shop"),
        (true, Service::Desk) => format!("{holder}, at the desk"),
    }
}

/// "6 µs", "1.2 ms".
pub fn check_time(time: Duration) -> String {
    match time.as_micros() {
        micros if micros < 1000 => format!("{micros} µs"),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

pub fn queries(count: u32) -> String {
    match count {
        0 => "No database query".to_owned(),
        1 => "1 database query".to_owned(),
        count => format!("{count} database queries"),
    }
}

/// What follows "Valid for": `relative` is a moment in the future, such as "in 24 hours".
pub fn remaining(relative: &str) -> String {
    match relative.strip_prefix("in ") {
        Some("a moment") | None => "less than a minute".to_owned(),
        Some(time) => format!("another {time}"),
    }
}

pub fn token_state(denied: bool, used: bool) -> &'static str {
    match (denied, used) {
        (true, _) => "denied",
        (false, true) => "used",
        (false, false) => "issued",
    }
}

pub fn deny_list(deny_list: DenyList) -> &'static str {
    match deny_list {
        DenyList::None => "none",
        DenyList::Memory => "in the shop's memory",
        DenyList::Database => "in the database",
    }
}

pub fn run_limit(limit: RunLimit) -> &'static str {
    match limit {
        RunLimit::Network => {
            "Too many runs are open from your network. Each ends after 30 minutes: try again then."
        }
        RunLimit::Total => {
            "Too many runs are open at the moment. Each ends after 30 minutes: try again in a few minutes."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_token_is_quoted_and_escaped() {
        let text = token_refusal(&Refusal::Type { found: "\u{1b}[31mnone\n".to_owned() });
        assert!(!text.contains(char::is_control), "{text}");
    }

    #[test]
    fn queries_are_counted_in_words() {
        assert_eq!([0, 1, 2].map(queries), ["No database query", "1 database query", "2 database queries"]);
    }

    #[test]
    fn a_check_takes_microseconds_or_milliseconds() {
        assert_eq!(
            [6, 999, 1240].map(|micros| check_time(Duration::from_micros(micros))),
            ["6 µs", "999 µs", "1.2 ms"]
        );
    }

    #[test]
    fn a_remaining_time_follows_valid_for() {
        assert_eq!(["in 24 hours", "in a moment"].map(remaining), ["another 24 hours", "less than a minute"]);
    }
}
