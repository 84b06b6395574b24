//! All SQL of this room.

mod counters;
mod lanes;

pub(crate) use counters::{blocked_for, clear_bucket, count_attempt, give_back};
pub(crate) use lanes::{clear_lanes, count_in_lane, lanes, failure_counts, uncount_in_lane};
