//! The cached list of a principal's sessions.

use super::cache::Entry;
use super::{KeyHash, Principal, SessionRecord};
use latchkey_db::time::Moment;

/// The maximum number of cached lists: few users look at theirs at the same time.
pub(crate) const MAX_LISTS: usize = 1000;

/// The live sessions of one principal, last seen first. What [`Store::list_of`](crate::Store::list_of) returns.
pub struct SessionList {
    /// A list has no key of its own; this one is derived from the principal.
    pub(super) key: KeyHash,
    pub(super) principal: Principal,
    pub(super) records: Vec<SessionRecord>,
    pub(super) read_at: Moment,
}

impl Entry for SessionList {
    fn key(&self) -> &KeyHash {
        &self.key
    }

    fn principal(&self) -> Principal {
        self.principal
    }

    fn last_used(&self) -> i64 {
        self.read_at.0
    }
}

impl SessionList {
    /// The records that have not expired at `now`, for example at [`LiveSession::moment`](crate::LiveSession::moment).
    pub fn at(&self, now: Moment) -> impl Iterator<Item = &SessionRecord> {
        self.records.iter().filter(move |record| record.expires_at > now)
    }
}
