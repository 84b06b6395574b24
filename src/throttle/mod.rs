//! Counting attempts: how many guesses an account, a network and a known browser have left.

mod attempts;
mod lanes;
pub(crate) mod queries;
mod refund;

pub use attempts::Wait;
pub(crate) use attempts::{
    OwnerAlert, CounterNames, AttemptKeys, AttemptDecision, admit_form, admit_passkey_start, admit_mail, admit_reset_mail, admit_missing_step_notice,
    admit_recovery_code, admit_registration_password, admit_mail_by_user,
};
pub(crate) use lanes::{AttemptSource, UNKNOWN_BROWSER};
pub(crate) use refund::RefundOnFault;

use crate::config::{Settings, Span, ThrottleLimits};

/// The limits, and the key that names of counters are made with.
#[derive(Clone)]
pub(crate) struct Throttle {
    pub limits: ThrottleLimits,
    /// How long a link to set a new password works.
    pub reset_for: Span,
    pub counter_names: CounterNames,
}

impl Throttle {
    pub fn new(settings: &Settings) -> Self {
        Self {
            limits: settings.throttle,
            reset_for: settings.tokens.reset_for,
            counter_names: CounterNames(settings.secret.clone()),
        }
    }
}
