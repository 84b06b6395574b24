//! Logging in with a password or a passkey, the second factor, confirming a session, logging out, and known devices.

mod authenticate;
mod confirm;
mod counters;
mod ended_session;
mod known_devices;
mod log_out;
mod open_session;
mod owner_alert;
mod passkey;
mod pending_login;
pub(crate) mod queries;
mod second_factor;
mod service;
mod unfinished_login;
mod verify_password;

pub use authenticate::{Authenticated, LoginAttempt, LoginRefusal};
pub use confirm::ConfirmRefusal;
pub use counters::LoginCounters;
pub use ended_session::EndedSession;
pub(crate) use ended_session::ended_session_detail;
pub use known_devices::DeviceCookie;
pub use open_session::OpenedSession;
pub use passkey::PasskeyLogin;
pub use pending_login::{PendingHash, PendingKey, SecondFactorOptions};
pub use second_factor::SecondFactorRefusal;
pub use service::Login;
