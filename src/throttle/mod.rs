//! Counting attempts: how many guesses an account, a network and a known browser have left.

mod attempts;
mod lanes;
pub(crate) mod queries;
mod refund;

pub use attempts::Wait;
pub(crate) use attempts::{
    Alarm, Buckets, Budget, Taken, may_ask, may_begin, may_mail, may_mail_reset, may_tell_of_missing_step,
    may_try_recovery_code, may_try_registration, may_write,
};
pub(crate) use lanes::{Lane, OUTSIDE};
pub(crate) use refund::Counted;

use crate::config::{Settings, Span, ThrottleLimits};

/// The limits, and the key that names of counters are made with.
#[derive(Clone)]
pub(crate) struct Throttle {
    pub limits: ThrottleLimits,
    /// How long a link to set a new password works.
    pub reset_for: Span,
    pub buckets: Buckets,
}

impl Throttle {
    pub fn new(settings: &Settings) -> Self {
        Self {
            limits: settings.throttle,
            reset_for: settings.tokens.reset_for,
            buckets: Buckets(settings.secret.clone()),
        }
    }
}
