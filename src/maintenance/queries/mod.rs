//! All SQL of this room.

mod email_keys;
mod purge;
mod secret_scan;

pub(crate) use email_keys::{idn_rows, set_idn_key};
pub(crate) use purge::{
    EXPIRED, delete_counters, delete_expired, forget_audit_events, last_purge, record_purge, try_purge_lock,
};
pub(crate) use secret_scan::{all_columns, each_row, in_one_snapshot};

pub use purge::LastPurge;
