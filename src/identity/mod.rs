//! What every room may name: users as cached with a session, email addresses, roles, and the client of a request.

mod client;
mod email;
mod group_name;
mod login_method;
pub(crate) mod queries;
mod session_owner;
mod session_profile;
mod user;

pub use client::{Agent, Client, ClientToken};
pub use email::{Email, EmailKey, InvalidEmail};
pub use group_name::{GroupName, InvalidGroupName};
pub use login_method::LoginMethod;
pub(crate) use user::Recipient;
pub use user::{EnrolledFactors, InvalidName, LiveUser, Name, Role, User, UserId, UserSession};
