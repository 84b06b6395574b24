//! All SQL of the sessions.

mod listeners;
mod live;
mod rows;

pub(super) use listeners::*;
pub(super) use rows::*;

pub use live::{Columns, Row, bytes, live};
pub(crate) use live::{is_live, live_columns, live_rows};
