//! The pages for administrators.

pub mod apps;
pub mod audit;
pub mod groups;
pub mod invitations;
pub mod overview;
pub mod sessions;
pub mod tokens;
pub mod users;
