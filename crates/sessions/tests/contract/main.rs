//! What the store promises, against a real Postgres. Rows are aged instead of waited for.

mod example;
mod lease;
mod sessions;
mod support;
