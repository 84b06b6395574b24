//! Reads one batch of lookups: first the scoped keys, then the sessions of these keys and of the other lookups.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::pg::PgConnection;
use latchkey_db::Fault;
use latchkey_db::time::Moment;

use super::inner::StoreInner;
use super::load_each::{LoadedRows, load_each};
use super::queries::ScopedKeyRow;
use super::scoped_key::{FoundKey, KeyScope};
use super::{KeyHash, LiveSession, Owner, queries};

/// How often a session is read again if its key changes between the two queries.
const ATTEMPTS: usize = 3;

/// The live sessions by their own keys, and the scoped keys.
pub(super) struct Batch<O> {
    pub(super) sessions: LoadedRows<LiveSession<O>>,
    pub(super) keys: HashMap<KeyHash, ReadKey>,
}

/// A scoped key without its session.
pub(super) struct ReadKey {
    /// The session's own key.
    session: KeyHash,
    pub(super) place: Arc<KeyScope>,
    proved_at: Moment,
    last_seen_at: Moment,
}

impl<O> Batch<O> {
    pub(super) fn session(&self, key: &KeyHash) -> Option<Result<LiveSession<O>, Fault>> {
        self.sessions.get(key).cloned()
    }

    pub(super) fn key(&self, key: &KeyHash) -> Option<Result<FoundKey<O>, Fault>> {
        let ReadKey { session, place, proved_at, last_seen_at } = self.keys.get(key)?;
        let live = self.session(session)?;
        Some(live.map(|live| FoundKey {
            key_hash: *key,
            place: Arc::clone(place),
            proved_at: *proved_at,
            last_seen_at: *last_seen_at,
            live,
        }))
    }
}

impl TryFrom<ScopedKeyRow> for (KeyHash, ReadKey) {
    type Error = Fault;

    fn try_from(row: ScopedKeyRow) -> Result<Self, Fault> {
        let Some((key, session)) = row.keys() else {
            return Err(Fault::Bug("the hash of a key has not 32 bytes".into()));
        };
        let ScopedKeyRow { scope, origin, proved_at, last_seen_at, .. } = row;
        let place = Arc::new(KeyScope { scope, origin: origin.into() });
        Ok((key, ReadKey { session, place, proved_at, last_seen_at }))
    }
}

/// One query for the scoped keys, if there are any, and one for the sessions that are not cached. If a session gets
/// another key between the two queries, both are repeated for its scoped keys.
pub(super) fn read<O: Owner>(
    conn: &mut PgConnection,
    inner: &StoreInner<O>,
    sessions: &[KeyHash],
    keys: &[KeyHash],
) -> Result<Batch<O>, Fault> {
    let mut found = Batch { sessions: HashMap::new(), keys: HashMap::new() };
    let (mut wanted, mut asked): (HashSet<KeyHash>, HashSet<KeyHash>) =
        (sessions.iter().copied().collect(), HashSet::new());
    let mut open = keys.to_vec();
    for _ in 0..ATTEMPTS {
        read_keys::<O>(conn, &mut open, &mut found)?;
        for ReadKey { session, .. } in open.iter().filter_map(|key| found.keys.get(key)) {
            if wanted.contains(session) || asked.contains(session) {
                continue;
            }
            match cached(inner, session) {
                Some(live) => drop(found.sessions.insert(*session, Ok(live))),
                None => drop(wanted.insert(*session)),
            }
        }
        if wanted.is_empty() {
            return Ok(found);
        }
        let unread: Vec<KeyHash> = wanted.drain().collect();
        found.sessions.extend(load_each(conn, &unread, O::load, |live: &LiveSession<O>| live.key_hash)?);
        asked.extend(unread);
        // The session has another key now, or may not be served.
        open.retain(|key| found.keys.get(key).is_some_and(|key| !found.sessions.contains_key(&key.session)));
        if open.is_empty() {
            return Ok(found);
        }
    }
    Err(Fault::Unavailable("a session changes faster than it can be read".into()))
}

/// Reads the rows of the keys in `open`, and keeps only the keys that exist.
fn read_keys<O: Owner>(
    conn: &mut PgConnection,
    open: &mut Vec<KeyHash>,
    found: &mut Batch<O>,
) -> Result<(), Fault> {
    if open.is_empty() {
        return Ok(());
    }
    open.iter().for_each(|key| drop(found.keys.remove(key)));
    for row in queries::live_scoped_keys(conn, O::KIND, open)? {
        let (key, read) = row.try_into()?;
        found.keys.insert(key, read);
    }
    open.retain(|key| found.keys.contains_key(key));
    Ok(())
}

/// The session that a lookup by its own key would find in memory, so that both share it. As there, the lease is checked
/// before the cache.
fn cached<O>(inner: &StoreInner<O>, session: &KeyHash) -> Option<LiveSession<O>> {
    let now = inner.lease.now()?;
    let cached = inner.cache.get(session)?;
    cached.is_current(now).then_some(LiveSession { cached, now })
}
