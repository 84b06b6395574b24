//! How logging in ends, counted: after the transaction, so that nothing is counted that was rolled back. The verbs that
//! log somebody in count, `web/ops/metrics.rs` writes it down.

use crate::factors::{CodeRefusal, PasskeyRefusal};
use crate::identity::Answer;
use crate::login::authenticate::{LoginRefusal, OpenedSession};
use crate::login::pending_login::{Authenticated, SecondFactorRefusal};
use latchkey_db::counters::Counter;

/// Steps of logging in since the process began.
#[derive(Default)]
pub struct LoginCounters([[Counter; OUTCOMES.len()]; METHODS.len()]);

/// What somebody proved who they are with.
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
    /// The password was right, and a second step is to follow.
    SecondFactor,
    Refused,
    Throttled,
}

/// In the order of [`LoginOutcome`]; the last is what neither let anybody in nor refused them.
const OUTCOMES: [&str; 5] = ["in", "second-factor", "refused", "throttled", "fault"];

/// An answer to an attempt to log in, or a part of one.
pub(crate) trait HasOutcome {
    fn outcome(&self) -> LoginOutcome;
}

impl LoginCounters {
    pub(crate) fn count<T: HasOutcome, R: HasOutcome>(&self, way: LoginMethod, answer: &Answer<T, R>) {
        let outcome = match answer {
            Ok(Ok(let_in)) => let_in.outcome() as usize,
            Ok(Err(refusal)) => refusal.outcome() as usize,
            Err(_) => OUTCOMES.len() - 1,
        };
        self.0[way as usize][outcome].count();
    }

    pub(crate) fn throttled(&self, way: LoginMethod) {
        self.0[way as usize][LoginOutcome::Throttled as usize].count();
    }

    /// LoginMethod, outcome and how often.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let ways = METHODS.into_iter().zip(&self.0);
        let all = ways.flat_map(|(way, outcomes)| {
            OUTCOMES.into_iter().zip(outcomes).map(move |(outcome, count)| (way, outcome, count.get()))
        });
        // A second step follows nothing but a password.
        all.filter(|(way, outcome, _)| *way == "password" || *outcome != "second-factor")
    }
}

impl HasOutcome for OpenedSession {
    fn outcome(&self) -> LoginOutcome {
        LoginOutcome::In
    }
}

impl HasOutcome for Authenticated {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::Session(_) => LoginOutcome::In,
            Self::PendingLogin(_) => LoginOutcome::SecondFactor,
        }
    }
}

impl HasOutcome for LoginRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::NoMatch => LoginOutcome::Refused,
            Self::TooMany(_) => LoginOutcome::Throttled,
        }
    }
}

impl HasOutcome for SecondFactorRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::Code(CodeRefusal::Locked | CodeRefusal::TooMany(_)) => LoginOutcome::Throttled,
            Self::Code(CodeRefusal::Wrong) | Self::Gone => LoginOutcome::Refused,
        }
    }
}

impl HasOutcome for PasskeyRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::TooMany(_) => LoginOutcome::Throttled,
            _ => LoginOutcome::Refused,
        }
    }
}
