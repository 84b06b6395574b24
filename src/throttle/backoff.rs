//! How long a counter blocks further attempts, and when it starts again at zero.

use crate::config::{Span, ThrottleLimits};

/// The blocks of one counter: each attempt past the free ones doubles the wait.
pub(crate) struct Backoff {
    /// The first wait.
    pub first: Span,
    /// No wait is longer.
    pub longest: Span,
    /// A count that began this long ago starts again at zero.
    pub forget_after: Span,
}

impl Backoff {
    /// A fixed number of attempts, then none for `wait`. The last attempt sets the block, so callers pass one less as
    /// the number of free attempts.
    pub const fn fixed(wait: Span) -> Self {
        Self { first: wait, longest: wait, forget_after: wait }
    }
}

impl From<ThrottleLimits> for Backoff {
    fn from(limits: ThrottleLimits) -> Self {
        Self { first: limits.first_wait, longest: limits.longest_wait, forget_after: limits.forget_after }
    }
}
