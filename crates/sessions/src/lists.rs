//! Somebody's own list of sessions, from memory like the sessions themselves: taken out by the same announcements.

use std::sync::Arc;

use super::cache::Entry;
use super::{KeyHash, Owner, Principal, Record, Sessions, queries};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

/// Lists kept at most: few people look at theirs at a time.
pub const LISTS: usize = 1000;

/// The live sessions of one principal, last seen first.
pub struct List {
    /// Lists have no key of their own, so this is made of whose they are.
    key: KeyHash,
    principal: Principal,
    records: Vec<Record>,
    read_at: Moment,
}

impl Entry for List {
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

impl List {
    /// Those that have not ended by themselves at `now`.
    pub fn at(&self, now: Moment) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.expires_at > now)
    }
}

impl<O: Owner> Sessions<O> {
    /// The live sessions of `principal`. When they were last seen is as exact as touches are; everything else is
    /// as true as a session that is found.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn list_of(&self, principal: Principal) -> Result<Arc<List>, Fault> {
        let key = KeyHash::of_principal(principal);
        if let Some(now) = self.shared.lease.now()
            && let Some(list) = self.shared.lists.get(&key)
            && now.since(list.read_at) < self.policy.touch_every
        {
            return Ok(list);
        }
        let generation = self.shared.lists.generation();
        let most = self.policy.per_principal;
        let (records, read_at) =
            self.db.read(move |conn| Ok(queries::list_of(conn, principal, most)?)).await?;
        let list = Arc::new(List { key, principal, records, read_at });
        self.shared.lists.insert(Arc::clone(&list), generation);
        Ok(list)
    }
}
