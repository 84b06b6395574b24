//! The pages for administrators.

pub mod audit;
pub mod invitations;
pub mod overview;
pub mod sessions;
pub mod users;
