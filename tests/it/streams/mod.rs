//! Long-lived requests: event streams, downloads and uploads, and the changes that end them.

pub mod client;
mod closing;
mod going_on;
mod races;
mod support;
mod without_lease;
