//! Long-lived requests: event streams, downloads and uploads, and the changes that end them.

pub mod client;
mod closing;
mod going_on;
mod races;
pub mod support;
mod tokens;
mod without_lease;
