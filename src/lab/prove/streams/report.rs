//! The result of the test, as numbers. The command line words it.

use std::time::{Duration, Instant};

use super::client::{StreamClient, StreamFate};
use super::kind::StreamKind;
use crate::lab::prove::report::{Percentiles, percentiles};

#[derive(Clone, Default)]
pub struct StreamReport {
    pub instances: usize,
    pub seconds: f64,
    /// Revocations that were not answered in time, or that the instance asked to repeat later.
    pub unanswered: u64,
    /// Sessions whose streams could not be opened, so that they were not revoked.
    pub not_opened: u64,
    /// Streams of the revoked sessions that were alive [`ALIVE_AFTER`](super::ALIVE_AFTER) the answer.
    pub alive: u64,
    /// Streams that received an event which the app created after the answer.
    pub late: u64,
    /// Streams that ended cleanly, so that the client could take the part that it has for complete.
    pub looked_complete: u64,
    /// Websockets that ended with a Close frame with the code for a policy violation.
    pub closed_by_policy: u64,
    pub raced: RacedOpenings,
    /// Streams of sessions that were not revoked, and how many of them went on.
    pub unaffected: u64,
    pub went_on: u64,
    /// Milliseconds from the form to its answer, one for each revocation.
    answered: Vec<f64>,
    /// In the order of [`StreamKind::ALL`].
    kinds: [EndTimes; 3],
}

/// Requests that began while the session was being revoked.
#[derive(Clone, Copy, Default)]
pub struct RacedOpenings {
    pub openings: u64,
    pub refused: u64,
    /// Were let in, and have ended since.
    pub ended: u64,
    /// Must stay 0.
    pub alive: u64,
    /// Had no response in time.
    pub unanswered: u64,
}

/// In milliseconds, one for each stream.
#[derive(Clone, Default)]
struct EndTimes {
    since_sent: Vec<f64>,
    since_answer: Vec<f64>,
}

/// Why a report proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFailing {
    Alive { alive: u64, of: u64 },
    Late(u64),
    LookedComplete(u64),
    Lost { lost: u64, of: u64 },
    NothingRevoked,
}

/// A revocation: when its form was sent, and when the answer had arrived.
#[derive(Clone, Copy)]
pub struct AnsweredRevocation {
    pub sent: Instant,
    pub answered: Instant,
    /// The time of the answer, on the clock of the app.
    pub on_clock: Duration,
}

/// The default close code of an app: a policy violation (RFC 6455 §7.4.1).
const POLICY: u16 = 1008;

impl StreamReport {
    pub fn new(instances: usize) -> Self {
        Self { instances, ..Self::default() }
    }

    /// Adds a revocation: what has become of the streams of its session, and of the openings that were raced against
    /// it.
    pub fn add(&mut self, revocation: AnsweredRevocation, streams: &[StreamClient], raced: &[StreamClient]) {
        self.answered.push(milliseconds(revocation.sent, revocation.answered));
        for stream in streams {
            match stream.fate() {
                StreamFate::Ended(moment) => {
                    let times = &mut self.kinds[stream.kind as usize];
                    times.since_sent.push(milliseconds(revocation.sent, moment));
                    times.since_answer.push(milliseconds(revocation.answered, moment));
                }
                _ => self.alive += 1,
            }
            self.closed_by_policy += u64::from(stream.close_code() == Some(POLICY));
        }
        for stream in raced {
            self.raced.openings += 1;
            match stream.fate() {
                StreamFate::Refused => self.raced.refused += 1,
                StreamFate::Ended(_) => self.raced.ended += 1,
                StreamFate::Alive => self.raced.alive += 1,
                StreamFate::Unanswered => self.raced.unanswered += 1,
            }
        }
        for stream in streams.iter().chain(raced) {
            self.late += u64::from(stream.has_event_after(revocation.on_clock));
            self.looked_complete += u64::from(stream.looked_complete());
        }
    }

    pub fn add_unaffected(&mut self, streams: usize, went_on: usize) {
        self.unaffected += streams as u64;
        self.went_on += went_on as u64;
    }

    pub fn revocations(&self) -> usize {
        self.answered.len()
    }

    pub fn answered(&self) -> Option<Percentiles> {
        percentiles(&self.answered)
    }

    /// How many streams of this kind have ended.
    pub fn ended(&self, kind: StreamKind) -> usize {
        self.kinds[kind as usize].since_sent.len()
    }

    /// Until the client's connection had ended.
    pub fn since_sent(&self, kind: StreamKind) -> Option<Percentiles> {
        percentiles(&self.kinds[kind as usize].since_sent)
    }

    /// As [`since_sent`](Self::since_sent); 0 if it ended before the answer had arrived.
    pub fn since_answer(&self, kind: StreamKind) -> Option<Percentiles> {
        percentiles(&self.kinds[kind as usize].since_answer)
    }

    /// Why this proves nothing; `None` if it is a proof.
    pub fn failing(&self) -> Option<StreamFailing> {
        let alive = self.alive + self.raced.alive;
        if alive > 0 {
            let ended: usize = StreamKind::ALL.into_iter().map(|kind| self.ended(kind)).sum();
            let of = ended as u64 + self.alive + self.raced.openings;
            return Some(StreamFailing::Alive { alive, of });
        }
        if self.late > 0 {
            return Some(StreamFailing::Late(self.late));
        }
        if self.looked_complete > 0 {
            return Some(StreamFailing::LookedComplete(self.looked_complete));
        }
        let lost = self.unaffected - self.went_on;
        if lost > 0 {
            return Some(StreamFailing::Lost { lost, of: self.unaffected });
        }
        let has_ended = StreamKind::ALL.into_iter().all(|kind| self.ended(kind) > 0);
        (!has_ended || self.unaffected == 0).then_some(StreamFailing::NothingRevoked)
    }
}

/// 0 if `to` is earlier.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> StreamReport {
        let times = EndTimes { since_sent: vec![1.0], since_answer: vec![0.0] };
        let kinds = [times.clone(), times.clone(), times];
        StreamReport { answered: vec![0.5], kinds, unaffected: 4, went_on: 4, ..StreamReport::default() }
    }

    #[test]
    fn a_report_proves_only_what_it_observed() {
        assert_eq!(proof().failing(), None);
        assert_eq!(StreamReport::default().failing(), Some(StreamFailing::NothingRevoked));
        let mut one_kind_missing = proof();
        one_kind_missing.kinds[1] = EndTimes::default();
        assert_eq!(one_kind_missing.failing(), Some(StreamFailing::NothingRevoked));
        let alive = StreamReport { alive: 1, ..proof() };
        assert_eq!(alive.failing(), Some(StreamFailing::Alive { alive: 1, of: 4 }));
        let raced = RacedOpenings { openings: 12, alive: 2, ..RacedOpenings::default() };
        let raced = StreamReport { raced, ..proof() };
        assert_eq!(raced.failing(), Some(StreamFailing::Alive { alive: 2, of: 15 }));
        assert_eq!(StreamReport { late: 1, ..proof() }.failing(), Some(StreamFailing::Late(1)));
        let complete = StreamReport { looked_complete: 1, ..proof() };
        assert_eq!(complete.failing(), Some(StreamFailing::LookedComplete(1)));
        let lost = StreamReport { went_on: 3, ..proof() };
        assert_eq!(lost.failing(), Some(StreamFailing::Lost { lost: 1, of: 4 }));
    }

    #[test]
    fn an_end_before_the_answer_counts_as_no_time() {
        let now = Instant::now();
        assert_eq!(milliseconds(now + Duration::from_millis(2), now), 0.0);
        assert_eq!(milliseconds(now, now + Duration::from_millis(2)), 2.0);
    }
}
