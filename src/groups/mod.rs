//! Groups: named sets of users, for the rules of apps.

mod service;

pub use service::Groups;
