//! All SQL of the sessions.

mod listeners;
mod live;
mod rows;

pub(crate) use listeners::{
    delete_listeners, gone, has_listeners, listen, mark_gone, notify, notify_all, ping, register,
};
pub(crate) use rows::{
    count, count_due, delete_all, end_reason, insert, is_live, list, list_of, may_sweep, moment, record,
    restart_idle, revoke, revoke_all, revoke_batch, revoke_but, revoke_by_key, revoke_oldest, rotate,
    set_state, sweep, touch,
};

pub use live::{Columns, LiveRow, OwnedColumns, live, owned, query_keys};
