//! The result of the test, as numbers. The command line words it.

use std::cell::Cell;
use std::time::Instant;

use super::credential::CredentialKind;
use super::users::Revocation;

#[derive(Clone, Default)]
pub struct RevocationReport {
    /// What was revoked.
    pub kind: CredentialKind,
    pub instances: usize,
    pub connections: usize,
    pub seconds: f64,
    /// Revocations that were not answered in time, or that the instance asked to repeat later.
    pub unanswered: u64,
    pub requests: u64,
    pub begun_after_answer: u64,
    pub served_after_answer: u64,
    pub refused_while_live: u64,
    pub failed: u64,
    /// Milliseconds since the form was sent, one for each revocation.
    answered: Vec<f64>,
    refused_here: Vec<f64>,
    /// Until the last of the other instances refused the session.
    refused_elsewhere: Vec<f64>,
}

#[derive(Default)]
pub struct ProbeCounts {
    pub requests: Cell<u64>,
    pub begun_after_answer: Cell<u64>,
    /// Must stay 0.
    pub served_after_answer: Cell<u64>,
    /// Must stay 0: an instance that refuses every session would prove nothing.
    pub refused_while_live: Cell<u64>,
    /// Neither served nor refused.
    pub failed: Cell<u64>,
}

/// Why a report proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    ServedAfterAnswer { served: u64, of: u64 },
    RefusedWhileLive(u64),
    NothingRevoked,
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl RevocationReport {
    pub fn new(kind: CredentialKind, instances: usize, clients_per_instance: usize) -> Self {
        Self { kind, instances, connections: instances * clients_per_instance, ..Self::default() }
    }

    /// `refused`: when each instance first refused the session or token; `revoking` is the one that revoked it.
    pub fn add_revocation(
        &mut self,
        revocation: &Revocation,
        revoking: usize,
        refused: impl Iterator<Item = Instant>,
    ) {
        let (Some(sent), Some(answered)) = (revocation.sent.get(), revocation.answered.get()) else { return };
        let since = |moment: Instant| moment.duration_since(sent).as_secs_f64() * 1000.0;
        self.answered.push(since(answered));
        let refused: Vec<f64> = refused.map(since).collect();
        // An instance that never refused has no such time; it counts in `served_after_answer`.
        if refused.len() == self.instances {
            self.refused_here.push(refused[revoking]);
            let others = refused.iter().enumerate().filter(|(instance, _)| *instance != revoking);
            self.refused_elsewhere.extend(others.map(|(_, taken)| *taken).reduce(f64::max));
        }
    }

    pub fn add_counts(&mut self, counts: &ProbeCounts) {
        self.requests = counts.requests.get();
        self.begun_after_answer = counts.begun_after_answer.get();
        self.served_after_answer = counts.served_after_answer.get();
        self.refused_while_live = counts.refused_while_live.get();
        self.failed = counts.failed.get();
    }

    pub fn revocations(&self) -> usize {
        self.answered.len()
    }

    pub fn answered(&self) -> Option<Percentiles> {
        percentiles(&self.answered)
    }

    pub fn refused_here(&self) -> Option<Percentiles> {
        percentiles(&self.refused_here)
    }

    pub fn refused_elsewhere(&self) -> Option<Percentiles> {
        percentiles(&self.refused_elsewhere)
    }

    /// Why this proves nothing; `None` if it is a proof.
    pub fn failing(&self) -> Option<Failing> {
        if self.served_after_answer > 0 {
            let (served, of) = (self.served_after_answer, self.begun_after_answer);
            return Some(Failing::ServedAfterAnswer { served, of });
        }
        if self.refused_while_live > 0 {
            return Some(Failing::RefusedWhileLive(self.refused_while_live));
        }
        (self.answered.is_empty() || self.begun_after_answer == 0).then_some(Failing::NothingRevoked)
    }
}

/// Of times in milliseconds.
pub fn percentiles(taken: &[f64]) -> Option<Percentiles> {
    let mut sorted = taken.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    // The smallest value that this many percent of the values do not exceed.
    let at = |hundredths: usize| rounded(sorted[(sorted.len() * hundredths).div_ceil(100) - 1]);
    Some(Percentiles { p50: at(50), p99: at(99), max: rounded(sorted[last]) })
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let taken: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentiles(&taken), Some(Percentiles { p50: 100.0, p99: 198.0, max: 200.0 }));
        assert_eq!(percentiles(&[1.234]), Some(Percentiles { p50: 1.23, p99: 1.23, max: 1.23 }));
        assert_eq!(percentiles(&[]), None);
    }

    #[test]
    fn a_report_proves_only_what_it_observed() {
        let proof =
            RevocationReport { answered: vec![1.0], begun_after_answer: 1, ..RevocationReport::default() };
        assert_eq!(proof.failing(), None);
        let late = RevocationReport { served_after_answer: 1, ..proof };
        assert_eq!(late.failing(), Some(Failing::ServedAfterAnswer { served: 1, of: 1 }));
        let refusing = RevocationReport { served_after_answer: 0, refused_while_live: 2, ..late };
        assert_eq!(refusing.failing(), Some(Failing::RefusedWhileLive(2)));
        assert_eq!(RevocationReport::default().failing(), Some(Failing::NothingRevoked));
    }
}
