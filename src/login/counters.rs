//! Counts how attempts to log in end. Each operation counts after its transaction, so that a rolled-back log-in is not
//! counted as one; `web/ops/metrics.rs` exports the totals.

use crate::db::Failed;
use latchkey_db::counters::Counter;

/// Since the process started, by step and outcome.
#[derive(Default)]
pub struct LoginCounters([[Counter; OUTCOMES.len()]; STEPS.len()]);

/// What a step of logging in verifies.
#[derive(Clone, Copy)]
pub(crate) enum LoginStep {
    Password,
    Passkey,
    SecondFactor,
}

/// In the order of [`LoginStep`].
const STEPS: [&str; 3] = ["password", "passkey", "second-factor"];

#[derive(Clone, Copy)]
pub(crate) enum LoginOutcome {
    In,
    /// The password was correct, and the second factor is next.
    SecondFactor,
    Refused,
    Throttled,
}

/// In the order of [`LoginOutcome`]; the last one is for faults.
const OUTCOMES: [&str; 5] = ["in", "second-factor", "refused", "throttled", "fault"];

/// A result or a refusal of a step of logging in.
pub(crate) trait HasOutcome {
    fn outcome(&self) -> LoginOutcome;
}

impl LoginCounters {
    pub(crate) fn count<T: HasOutcome, R: HasOutcome>(
        &self,
        step: LoginStep,
        outcome: &Result<T, Failed<R>>,
    ) {
        let outcome = match outcome {
            Ok(value) => value.outcome() as usize,
            Err(Failed::Refused(refusal)) => refusal.outcome() as usize,
            Err(Failed::Fault(_)) => OUTCOMES.len() - 1,
        };
        self.0[step as usize][outcome].count();
    }

    pub(crate) fn count_throttled(&self, step: LoginStep) {
        self.0[step as usize][LoginOutcome::Throttled as usize].count();
    }

    /// Step, outcome and count.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let steps = STEPS.into_iter().zip(&self.0);
        let all = steps.flat_map(|(step, outcomes)| {
            OUTCOMES.into_iter().zip(outcomes).map(move |(outcome, count)| (step, outcome, count.get()))
        });
        // Only a password can lead to a second factor.
        all.filter(|(step, outcome, _)| *step == "password" || *outcome != "second-factor")
    }
}
