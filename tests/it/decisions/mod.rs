//! The decision listener: other proxies ask about each request, and get the answers of the front door.

mod answers;
mod granted;
mod paths;
mod question;
mod reading;
mod revoked;
mod started;
pub mod support;
