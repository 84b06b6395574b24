//! How logging in ends, counted: after the transaction, so that nothing is counted that was rolled back. The verbs that
//! log somebody in count, `web/ops/metrics.rs` writes it down.

use crate::factors::{CodeRefusal, PasskeyRefusal};
use crate::identity::Answer;
use crate::login::authenticate::{LogInRefusal, Opened};
use crate::login::pending::{LoggedIn, PendingRefusal};
use latchkey_db::counters::Counter;

/// Steps of logging in since the process began.
#[derive(Default)]
pub struct LogIns([[Counter; OUTCOMES.len()]; WAYS.len()]);

/// What somebody proved who they are with.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Password,
    Passkey,
    SecondFactor,
}

/// In the order of [`Way`].
const WAYS: [&str; 3] = ["password", "passkey", "second-factor"];

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    In,
    /// The password was right, and a second step is to follow.
    SecondFactor,
    Refused,
    Throttled,
}

/// In the order of [`Outcome`]; the last is what neither let anybody in nor refused them.
const OUTCOMES: [&str; 5] = ["in", "second-factor", "refused", "throttled", "fault"];

/// An answer to an attempt to log in, or a part of one.
pub(crate) trait Ends {
    fn outcome(&self) -> Outcome;
}

impl LogIns {
    pub(crate) fn count<T: Ends, R: Ends>(&self, way: Way, answer: &Answer<T, R>) {
        let outcome = match answer {
            Ok(Ok(let_in)) => let_in.outcome() as usize,
            Ok(Err(refusal)) => refusal.outcome() as usize,
            Err(_) => OUTCOMES.len() - 1,
        };
        self.0[way as usize][outcome].count();
    }

    pub(crate) fn throttled(&self, way: Way) {
        self.0[way as usize][Outcome::Throttled as usize].count();
    }

    /// Way, outcome and how often.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let ways = WAYS.into_iter().zip(&self.0);
        let all = ways.flat_map(|(way, outcomes)| {
            OUTCOMES.into_iter().zip(outcomes).map(move |(outcome, count)| (way, outcome, count.get()))
        });
        // A second step follows nothing but a password.
        all.filter(|(way, outcome, _)| *way == "password" || *outcome != "second-factor")
    }
}

impl Ends for Opened {
    fn outcome(&self) -> Outcome {
        Outcome::In
    }
}

impl Ends for LoggedIn {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Open(_) => Outcome::In,
            Self::Pending(_) => Outcome::SecondFactor,
        }
    }
}

impl Ends for LogInRefusal {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoMatch => Outcome::Refused,
            Self::TooMany(_) => Outcome::Throttled,
        }
    }
}

impl Ends for PendingRefusal {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Code(CodeRefusal::Locked | CodeRefusal::TooMany(_)) => Outcome::Throttled,
            Self::Code(CodeRefusal::Wrong) | Self::Gone => Outcome::Refused,
        }
    }
}

impl Ends for PasskeyRefusal {
    fn outcome(&self) -> Outcome {
        match self {
            Self::TooMany(_) => Outcome::Throttled,
            _ => Outcome::Refused,
        }
    }
}
