//! Groups: named sets of users, for the rules of apps.

mod change;
mod list;
mod members;
pub(crate) mod queries;
mod service;

pub use change::GroupRefusal;
pub use list::GroupDetails;
pub use queries::{GroupRow, MemberRow};
pub use service::Groups;
