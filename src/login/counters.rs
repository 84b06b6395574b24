//! Counts how attempts to log in end. Each operation counts after its transaction, so that a rolled-back log-in is not
//! counted as one; `web/ops/metrics.rs` exports the totals.

use crate::db::Failed;
use latchkey_db::counters::Counter;

/// Since the process started, by method and outcome.
#[derive(Default)]
pub struct LoginCounters([[Counter; OUTCOMES.len()]; METHODS.len()]);

/// What a step of logging in verifies.
#[derive(Clone, Copy)]
pub(crate) enum LoginMethod {
    Password,
    Passkey,
    SecondFactor,
}

/// In the order of [`LoginMethod`].
const METHODS: [&str; 3] = ["password", "passkey", "second-factor"];

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
        method: LoginMethod,
        outcome: &Result<T, Failed<R>>,
    ) {
        let outcome = match outcome {
            Ok(value) => value.outcome() as usize,
            Err(Failed::Refused(refusal)) => refusal.outcome() as usize,
            Err(Failed::Fault(_)) => OUTCOMES.len() - 1,
        };
        self.0[method as usize][outcome].count();
    }

    pub(crate) fn count_throttled(&self, method: LoginMethod) {
        self.0[method as usize][LoginOutcome::Throttled as usize].count();
    }

    /// Method, outcome and count.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let methods = METHODS.into_iter().zip(&self.0);
        let all = methods.flat_map(|(method, outcomes)| {
            OUTCOMES.into_iter().zip(outcomes).map(move |(outcome, count)| (method, outcome, count.get()))
        });
        // Only a password can lead to a second factor.
        all.filter(|(method, outcome, _)| *method == "password" || *outcome != "second-factor")
    }
}
