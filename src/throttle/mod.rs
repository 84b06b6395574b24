//! Throttling: how many attempts an account, a network and a known browser have left, and when the next is admitted.

mod attempt_keys;
mod attempt_source;
mod backoff;
mod counter;
mod form_limits;
pub(crate) mod queries;
mod refund_on_fault;

pub(crate) use attempt_keys::{AttemptDecision, AttemptKeys, OwnerAlert};
pub(crate) use attempt_source::{AttemptSource, UNKNOWN_BROWSER};
pub use counter::RetryAfter;
pub(crate) use counter::Throttle;
pub(crate) use form_limits::{
    admit_form, admit_mail, admit_mail_by_user, admit_missing_step_notice, admit_passkey_start,
    admit_recovery_code, admit_registration_password, admit_reset_mail, count_mail, count_token_guess,
};
pub(crate) use refund_on_fault::RefundOnFault;
