//! How accounts come into being: a visitor registers and verifies the address, an administrator invites, the operator sets
//! up the first administrator or imports users.

mod import;
mod invite;
pub(crate) mod queries;
mod register;
mod service;
mod setup;

pub use import::{ImportError, ImportRow};
pub use invite::{InviteRefusal, OpenInvitation};
pub use queries::{ImportedUser, InvitationRow};
pub use register::{NewUser, RegisterRefusal, VerifyLink, VerifyRefusal};
pub use service::Registration;
pub use setup::SetupRefusal;
