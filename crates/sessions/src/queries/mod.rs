//! All SQL of the sessions.

mod listeners;
mod live;
mod lock_order;
mod rows;
mod session_keys;

pub(crate) use listeners::{
    delete_listeners, gone, has_listeners, listen, mark_gone, notify, notify_all, ping, register,
};
pub(crate) use rows::{
    count, count_due, delete_all, end_reason, insert, is_live, list, list_of, may_sweep, moment, record,
    restart_idle, revoke, revoke_all, revoke_batch, revoke_but, revoke_by_key, revoke_oldest, rotate,
    set_state, sweep, touch,
};
pub(crate) use session_keys::{
    ScopedKeyRow, delete_oldest_scoped_keys, delete_scoped_key, delete_scoped_keys_of_principal,
    delete_scoped_keys_of_scope, delete_scoped_keys_of_session, insert_scoped_key, list_scoped_keys,
    live_scoped_keys, lock_live, sweep_scoped_keys, touch_scoped_keys,
};

pub use live::{Columns, LiveRow, OwnedColumns, live, owned, query_keys};
