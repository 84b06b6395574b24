//! An owner takes an account back with a mailed link: reset or unlock the password, report a session, undo a factor.

mod report_session;
mod reset_password;
mod service;
mod undo_factor;
mod unlock;

pub use reset_password::ResetRefusal;
pub use service::Recovery;
