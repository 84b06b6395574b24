//! `latchkey prove revocation --apps`: shows that the streams of a revoked session end, and no others.

use std::fmt::{self, Display, Formatter};

use serde_json::{Map, Value, json};

use super::figures::{count, heading, line, times};
use crate::lab::prove::{StreamFailing, StreamKind, StreamReport};

pub fn words(failing: StreamFailing) -> String {
    match failing {
        StreamFailing::Alive { alive, of } => {
            format!("{alive} of {of} streams were alive 0.5 s after the revocation was answered")
        }
        StreamFailing::Late(late) => {
            format!("{late} streams received an event that the app created after the revocation was answered")
        }
        StreamFailing::LookedComplete(number) => {
            format!("{number} streams ended cleanly: a client would take what it has for complete")
        }
        StreamFailing::Lost { lost, of } => {
            format!("{lost} of {of} streams of sessions that were not revoked did not go on")
        }
        StreamFailing::NothingRevoked => {
            "nothing was proven: not every kind of stream was open while its session was revoked".to_owned()
        }
    }
}

/// Programs read these keys: they do not change.
pub fn as_json(report: &StreamReport) -> Value {
    let kind = |kind: StreamKind| {
        let ended = json!({
            "ended": report.ended(kind),
            "since_sent_ms": times(report.since_sent(kind)),
            "since_answer_ms": times(report.since_answer(kind)),
        });
        (key(kind).to_owned(), ended)
    };
    json!({
        "instances": report.instances,
        "seconds": (report.seconds * 100.0).round() / 100.0,
        "revocations": report.revocations(),
        "answered_ms": times(report.answered()),
        "streams": StreamKind::ALL.into_iter().map(kind).collect::<Map<_, _>>(),
        "alive_after_answer": report.alive,
        "late_events": report.late,
        "looked_complete": report.looked_complete,
        "closed_by_policy": report.closed_by_policy,
        "raced": {
            "openings": report.raced.openings,
            "refused": report.raced.refused,
            "ended": report.raced.ended,
            "alive": report.raced.alive,
            "unanswered": report.raced.unanswered,
        },
        "unaffected": report.unaffected,
        "went_on": report.went_on,
        "not_opened": report.not_opened,
        "unanswered": report.unanswered,
    })
}

fn key(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Events => "event_streams",
        StreamKind::Download => "stalled_downloads",
        StreamKind::Websocket => "websockets",
    }
}

fn name(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Events => "event streams",
        StreamKind::Download => "stalled downloads",
        StreamKind::Websocket => "websockets",
    }
}

pub struct StreamsAsText<'r>(pub &'r StreamReport);

impl Display for StreamsAsText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let StreamReport { instances, seconds, raced, .. } = report;
        let revoked = report.revocations();
        writeln!(f, "{instances} instances on one database, with an app behind them.")?;
        writeln!(
            f,
            "{revoked} sessions revoked in {seconds:.1} s, each at one instance, with the form on its page. At every\n\
             instance, each had an event stream, a download whose client had stopped reading, and a websocket.\n"
        )?;
        heading(f, "milliseconds since the form was sent")?;
        line(f, "its answer has arrived", report.answered())?;
        for kind in StreamKind::ALL {
            line(
                f,
                &format!("connections of {} {} have ended", report.ended(kind), name(kind)),
                report.since_sent(kind),
            )?;
        }
        writeln!(f)?;
        heading(f, "milliseconds since the answer, 0 if earlier")?;
        for kind in StreamKind::ALL {
            line(
                f,
                &format!("connections of {} {} have ended", report.ended(kind), name(kind)),
                report.since_answer(kind),
            )?;
        }
        writeln!(f)?;
        for (what, number) in [
            ("alive 0.5 s after the answer (must be 0)", report.alive),
            ("received an event created after it (must be 0)", report.late),
            ("ended as if complete (must be 0)", report.looked_complete),
            ("websockets closed with code 1008", report.closed_by_policy),
            ("opened while the session was being revoked", raced.openings),
            ("of those refused", raced.refused),
            ("of those let in, and ended", raced.ended),
            ("of those alive 0.5 s after the answer (must be 0)", raced.alive),
            ("of those without a response", raced.unanswered),
            ("streams of sessions that were not revoked", report.unaffected),
            ("of those going on (must be all)", report.went_on),
            ("sessions whose streams could not be opened", report.not_opened),
            ("revocations that were not answered in time", report.unanswered),
        ] {
            count(f, what, number)?;
        }
        let verdict = match report.failing() {
            None => "Every stream of a revoked session has ended, and every other stream goes on.",
            Some(_) => "Not proven.",
        };
        write!(f, "\n{verdict}")
    }
}
