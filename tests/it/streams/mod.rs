//! Requests that last: event streams, downloads and uploads, and what ends them.

pub mod client;
mod closing;
mod going_on;
mod races;
pub mod support;
mod tokens;
mod without_lease;
