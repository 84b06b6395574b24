//! A cache of the application's own entries, under the lease of a store.

use std::sync::Arc;

use latchkey_db::Fault;

use super::leased::{FoundRow, Leased, LeasedEntry};
use super::leased_load::{LeasedCounters, LeasedInner};
use super::{KeyHash, Owner, Store, Use};

/// Finds entries of the application by the hash of a secret: from memory while the store's lease holds, otherwise from the
/// database. What was revoked in [`Store::write`] is found on no instance when `write` has returned, as with sessions.
/// [`Store::leased_cache`] creates it. Cloning shares the memory.
pub struct LeasedCache<E: LeasedEntry, O: Owner = ()> {
    store: Store<O>,
    inner: Arc<LeasedInner<E>>,
}

impl<E: LeasedEntry, O: Owner> Clone for LeasedCache<E, O> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), inner: Arc::clone(&self.inner) }
    }
}

impl<O: Owner> Store<O> {
    /// A cache for `capacity` entries, which this store keeps valid and whose touches it writes. Call it once for each kind
    /// of entry: the store keeps the cache. It caches nothing if the store caches nothing ([`Policy::cached`]).
    ///
    /// [`Policy::cached`]: crate::Policy::cached
    ///
    /// ```no_run
    /// # mod schema { diesel::table! { tokens (hash) {
    /// #     hash -> Binary, user_id -> Uuid, name -> Text, expires_at -> Timestamptz, used_at -> Nullable<Timestamptz>,
    /// # } } }
    /// use diesel::pg::PgConnection;
    /// use diesel::prelude::*;
    /// use latchkey_sessions::db::time::{Moment, now};
    /// use latchkey_sessions::{Fault, KeyHash, LeasedEntry, LeasedRow, Principal, Store, Use, query_keys};
    /// use schema::tokens::dsl;
    ///
    /// struct ApiToken {
    ///     name: String,
    /// }
    ///
    /// type Row = (Vec<u8>, Principal, String, Moment, Option<Moment>, Moment);
    ///
    /// impl LeasedEntry for ApiToken {
    ///     fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LeasedRow<Self>>, Fault> {
    ///         let rows: Vec<Row> = dsl::tokens
    ///             .filter(dsl::hash.eq_any(query_keys(keys)))
    ///             .select((dsl::hash, dsl::user_id, dsl::name, dsl::expires_at, dsl::used_at, now()))
    ///             .load(conn)?;
    ///         rows.into_iter()
    ///             .map(|(hash, principal, name, expires_at, last_used_at, read_at)| {
    ///                 let key = KeyHash::new(hash.try_into().map_err(|_| Fault::bug("not a hash"))?);
    ///                 let entry = Some(ApiToken { name });
    ///                 Ok(LeasedRow { key, principal, entry, expires_at, last_used_at, read_at })
    ///             })
    ///             .collect()
    ///     }
    ///
    ///     fn touch(conn: &mut PgConnection, rows: &[(KeyHash, Moment)]) -> Result<usize, Fault> {
    ///         let mut changed = 0;
    ///         for (key, used_at) in rows {
    ///             let row = dsl::tokens.filter(dsl::hash.eq(key.as_bytes()));
    ///             changed += diesel::update(row).set(dsl::used_at.eq(used_at)).execute(conn)?;
    ///         }
    ///         Ok(changed)
    ///     }
    /// }
    ///
    /// # async fn example(store: Store, presented: &str) -> Result<(), Fault> {
    /// let tokens = store.leased_cache::<ApiToken>(10_000);
    /// if let Some(token) = tokens.find(KeyHash::of_secret(presented), Use::Counts).await? {
    ///     println!("{} at {:?}", token.name, token.now());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn leased_cache<E: LeasedEntry>(&self, capacity: usize) -> LeasedCache<E, O> {
        let inner = Arc::new(LeasedInner::new(capacity.min(self.policy.cached)));
        self.observe(inner.clone());
        self.shared.leased_touches.add(inner.clone());
        LeasedCache { store: self.clone(), inner }
    }
}

impl<E: LeasedEntry, O: Owner> LeasedCache<E, O> {
    /// The entry of `key`; `None` if there is no such row, or it has expired or is not valid. Notes its use, at most once
    /// every [`Policy::touch_every`](crate::Policy::touch_every), unless it is [`Use::Background`].
    ///
    /// A key without a row is looked up once and then remembered for a minute.
    ///
    /// # Errors
    /// A [`Fault`] of the database. The caller must then refuse the request.
    pub async fn find(&self, key: KeyHash, usage: Use) -> Result<Option<Leased<E>>, Fault> {
        if let Some(answer) = self.find_in_memory(&key, usage) {
            return Ok(answer);
        }
        self.inner.counts.misses.count();
        let Some(found) = self.inner.load(self.store.db(), key).await? else { return Ok(None) };
        if usage == Use::Counts {
            self.note_use_of_read(&key, &found);
        }
        Ok(found.entry)
    }

    /// How many rows are in memory.
    pub fn cached(&self) -> usize {
        self.inner.rows.len()
    }

    /// Metrics since the start.
    pub fn counts(&self) -> &LeasedCounters {
        &self.inner.counts
    }

    /// `None`: the key is not in memory, or there is no lease. The lease is checked before the cache, as for sessions.
    fn find_in_memory(&self, key: &KeyHash, usage: Use) -> Option<Option<Leased<E>>> {
        let now = self.store.lease_moment()?;
        let cached = self.inner.rows.inspect(key, |row| {
            row.is_current(now).then(|| {
                let entry = row.entry_at(now);
                let is_used = entry.is_some() && usage == Use::Counts;
                (entry, is_used && row.note_use(now, self.store.policy.touch_every))
            })
        });
        let Some(row) = cached else {
            if !self.inner.unknown.contains(key) {
                return None;
            }
            self.inner.counts.unknown.count();
            return Some(None);
        };
        let (entry, is_due) = row?;
        if is_due {
            self.inner.touches.note(*key, now);
        }
        self.inner.counts.hits.count();
        Some(entry)
    }

    fn note_use_of_read(&self, key: &KeyHash, found: &FoundRow<E>) {
        let Some(entry) = &found.entry else { return };
        let (now, interval) = (entry.now(), self.store.policy.touch_every);
        let noted = self.inner.rows.inspect(key, |row| row.note_use(now, interval));
        // The row may not have been cached.
        if noted.unwrap_or_else(|| found.use_is_due(interval)) {
            self.inner.touches.note(*key, now);
        }
    }
}
