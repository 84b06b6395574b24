//! How an operation answers.

use crate::db::Fault;

/// A refusal is a value to show, a fault an error to pass up.
pub type Answer<T, R> = Result<Result<T, R>, Fault>;
