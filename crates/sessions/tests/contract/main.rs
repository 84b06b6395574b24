//! The contract of the store, tested against a real Postgres. Tests age rows instead of waiting.

mod example;
mod lease;
mod sessions;
mod support;
