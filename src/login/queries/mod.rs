//! All SQL of this room.

mod known_devices;
mod passwords;
mod pending_login;
mod unfinished_login;

pub(crate) use known_devices::{is_known_device, upsert_known_device, was_issued};
pub(crate) use passwords::{
    PasswordRecord, decoy_hash, has_logged_in, lock_if_password_unchanged, lock_password_hash, password_hash,
    password_record, record_login, set_password,
};
pub(crate) use pending_login::{
    PendingLogin, delete_pending_login, insert_pending_login, keep_newest_pending_logins, pending_login,
};
pub(crate) use unfinished_login::{delete_unfinished_login, insert_unfinished_login, take_overdue_login};
