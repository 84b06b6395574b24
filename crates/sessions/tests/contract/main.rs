//! What the store promises, against a real Postgres. Rows are aged instead of waited for.

mod lease;
mod sessions;
mod shop;
mod support;
