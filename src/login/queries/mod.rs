//! All SQL of this room.

mod known_devices;
mod missing_step;
mod passwords;
mod pending;

pub(crate) use known_devices::{gave_out, knows_browser, note_browser};
pub(crate) use missing_step::{delete_unfinished, insert_unfinished, take_overdue};
pub(crate) use passwords::{
    has_logged_in, known, lock_hash, lock_with_hash, note_login, password_hash, set_password, stand_in,
};
pub(crate) use pending::{delete_pending, insert_pending, keep_newest_pending, lock_proven, pending};
