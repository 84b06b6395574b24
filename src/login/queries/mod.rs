//! All SQL of this room.

mod known_devices;
mod unfinished_login;
mod passwords;
mod pending_login;

pub(crate) use known_devices::{was_issued, is_known_device, upsert_known_device};
pub(crate) use unfinished_login::{delete_unfinished_login, insert_unfinished_login, take_overdue_login};
pub(crate) use passwords::{
    has_logged_in, lock_password_hash, lock_if_password_unchanged, record_login, password_hash, set_password, decoy_hash,
};
pub(crate) use pending_login::{delete_pending_login, insert_pending_login, keep_newest_pending_logins, lock_if_fingerprint_matches, pending_login};
