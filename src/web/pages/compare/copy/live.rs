//! Live connections, in words.

use std::time::Duration;

use crate::lab::{EndCause, StreamEnding, StreamLimit, StreamSide};

pub const OPEN: &str = "Open";

pub fn side(side: StreamSide) -> &'static str {
    match side {
        StreamSide::Session => "Behind the session",
        StreamSide::Token => "Behind the token",
    }
}

pub fn line(number: u32, time: &str) -> String {
    format!("Line {number}, sent at {time}")
}

/// "2.4 ms"; "under 0.1 ms" instead of zero.
fn milliseconds(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        millis if millis < 0.1 => "under 0.1 ms".to_owned(),
        millis if millis < 1000.0 => format!("{millis:.1} ms"),
        millis => format!("{:.1} s", millis / 1e3),
    }
}

pub fn ended(ending: &StreamEnding) -> String {
    match (ending.cause, ending.after_revocation) {
        (EndCause::SessionEnded, Some(after)) => {
            format!("Closed by the server {} after the revocation", milliseconds(after))
        }
        (EndCause::SessionEnded, None) => "Closed by the server because the session ended".to_owned(),
        (EndCause::Unconfirmed, _) => {
            "Closed by the server because the session could not be confirmed".to_owned()
        }
        (EndCause::LifeOver, _) => "Ended after a minute, the limit of this page".to_owned(),
        (EndCause::RunOver, _) => "Ended with its run".to_owned(),
        (EndCause::Stopped, _) => "Ended because the server is stopping".to_owned(),
        (EndCause::ClientLeft, _) => "Closed by the browser".to_owned(),
    }
}

pub fn limit(limit: StreamLimit) -> &'static str {
    match limit {
        StreamLimit::Run => "This run has too many live connections open. Close a tab, or wait a minute.\n",
        StreamLimit::Instance => {
            "Too many live connections are open on this server. Each ends after a minute: try again then.\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_decimal_and_is_never_zero() {
        let texts = [0, 40, 3_240, 1_500_000].map(|micros| milliseconds(Duration::from_micros(micros)));
        assert_eq!(texts, ["under 0.1 ms", "under 0.1 ms", "3.2 ms", "1.5 s"]);
    }
}
