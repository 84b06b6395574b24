//! All SQL of this room.

mod admin;
mod delete_account;
mod export;
mod records;
mod sessions;
mod users;

pub(crate) use admin::{daily_figures, is_last_admin, user_ids, user_row, user_rows, users};
pub(crate) use delete_account::{delete_user, erase_from_audit_trail, lock_due_account, set_delete_after};
pub(crate) use export::stored_data;
pub(crate) use records::{user_record, user_records};
pub(crate) use sessions::sessions_of_users;
pub(crate) use users::{
    active_administrators, lock_admins, set_disabled, set_email, set_name, set_role, transaction_time,
};

pub use admin::{DailyFigures, DayCount, UserRow};
pub use records::{UserFilter, UserKey, UserOrder, UserRecord, UserState};
pub use sessions::{SessionFilter, SessionOfUser};
