//! All SQL of the sessions.

mod listeners;
mod live;
mod rows;

pub(super) use listeners::*;
pub(super) use rows::*;

pub use live::{Columns, Row, bytes, live};
