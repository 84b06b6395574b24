//! All SQL of this room.

mod counters;
mod password_failures;

pub(crate) use counters::{blocked_for, count_attempt, delete_counter, refund};
pub(crate) use password_failures::{
    count_failure, delete_failures, failure_counts, failures_by_source, refund_failure,
};
