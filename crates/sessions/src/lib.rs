//! Server-side sessions in Postgres: an `actix-session` store that can list, rotate and revoke. A session belongs to a
//! principal: without one it is not stored, so anonymous visitors have none, and saving theirs is an error.
//!
//! This room knows no page, no setting and no user: it is handed a [`Db`] and a [`Policy`], and the
//! application says what belongs to a [`Principal`] through [`Owner`]. That makes it usable from any
//! actix application:
//!
//! ```no_run
//! use actix_session::{SessionMiddleware, config::CookieContentSecurity};
//! use actix_web::{App, cookie::Key, middleware::from_fn};
//! use latchkey_sessions::{Db, Policy, Sessions, request};
//!
//! # fn build(db: Db, key: Key) {
//! let sessions: Sessions = Sessions::new(db, Policy::default());
//! let app = App::new()
//!     .wrap(
//!         SessionMiddleware::builder(sessions.store(), key)
//!             .cookie_content_security(CookieContentSecurity::Signed)
//!             .build(),
//!     )
//!     .wrap(from_fn(request::carry)); // outermost: lets handlers see the record and rotate the key
//! # }
//! ```
//!
//! Log in with `actix_identity::Identity::login(&extensions, uuid)`; the principal becomes a column.
//!
//! # How to read it
//! | | begins in | then |
//! |---|---|---|
//! | **load** | [`Sessions::find`], below | `lease.rs` says whether memory may be asked and `cache.rs` answers; else `lookups.rs` asks Postgres for many keys at once, with the query of `queries/live.rs` |
//! | **fill** | `lookups.rs`, `distribute` | `cache.rs` refuses what was read before a change was announced |
//! | **revoke** | [`Sessions::write`] in `change.rs` | triggers announce the commit on the channel (`word.rs`); the `keeper.rs` of each instance forgets and says so; whoever wrote waits for all, or until a lease has run out |
//! | **touch** | [`Sessions::find`] | `touches.rs` notes it and writes many at once, later |
//!
//! Why that suffices: `docs/decisions/cache-lease.md`.
//!
//! # What the store answers
//! | call | live row | missing, expired or revoked row | database failure |
//! |---|---|---|---|
//! | `load` | its state, the principal put in | `None`: the request is anonymous | error: neither logged in nor out |
//! | `save` | – | a new row; without a principal nothing is stored and the call fails | error, no row |
//! | `update` | state replaced, clocks left alone: the request was noted when its session was loaded; a state without its principal ends the session | nothing is written, nothing created; the dead key comes back | error, row unchanged |
//! | `update_ttl` | idle clock restarted, never past the absolute limit | nothing | error |
//! | `delete` | tombstone, even if another request rotated the key meanwhile | nothing | error, row unchanged |
//!
//! The `ttl` that `save`, `update` and `update_ttl` are handed is ignored. It is the life of actix-session's cookie, one
//! for all sessions; how long a session lives is the [`Policy`]'s to say, with two clocks, and two more for sessions
//! that are to be remembered. Give the cookie at least [`Policy::absolute`].
//!
//! `Session::renew()` is `delete` then `save`: a new session with a new handle and clock. If the old
//! one had been revoked while the request ran, the new one is not stored either; but a `revoke_all` that
//! comes between those two calls finds neither. To change only the key, use [`Sessions::rotate`] and
//! [`request::hand_over`]; to log in, [`Sessions::open`]: each is one statement of the caller's transaction.

mod cache;
mod change;
mod keeper;
mod key;
mod lease;
mod lists;
mod lookups;
mod queries;
mod record;
mod registry;
pub mod request;
mod roll_call;
pub mod schema;
mod state;
mod store;
mod sync;
mod texts;
mod touches;
mod word;

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use diesel::pg::PgConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use latchkey_db::counters::{Counter, Durations};

use cache::Cache;
use lease::Lease;
use lists::{LISTS, List};
use lookups::Lookups;
use record::Kept;
use texts::Texts;
use touches::Touches;

pub use latchkey_db as db;
pub use latchkey_db::{Db, Fault, PoolSettings};

pub use change::Change;
pub use keeper::Keeper;
pub use key::{Key, KeyHash};
pub use queries::{Columns, Row, bytes, live};
pub use record::{Handle, Live, Login, Principal, Record};
pub use registry::{Ended, Scope};
pub use roll_call::{RollCall, roll_call};
pub use state::{State, TooLarge};
pub use store::PgStore;

/// The migrations of the tables `sessions` and `listeners`, for `MigrationHarness::run_pending_migrations`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The clocks of a session. All judged by the database's time.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Ends a session nobody uses.
    pub idle: Duration,
    /// Ends a session however much it is used.
    pub absolute: Duration,
    /// The same two for sessions that were asked to be remembered.
    pub remembered_idle: Duration,
    pub remembered_absolute: Duration,
    /// `last_seen_at` is noted at most this often for one session.
    pub touch_every: Duration,
    /// Ended sessions are kept this long as tombstones before a sweep takes them.
    pub keep_ended: Duration,
    /// The oldest session ends when a principal opens more than this many (ASVS 5.0 7.1.2).
    pub per_principal: i64,
    /// So many sessions are kept in memory at most; 0 reads each of them from the database each time.
    pub cached: usize,
}

impl Default for Policy {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            idle: day,
            absolute: 7 * day,
            remembered_idle: 30 * day,
            remembered_absolute: 30 * day,
            touch_every: Duration::from_secs(60),
            keep_ended: 30 * day,
            per_principal: 100,
            cached: 100_000,
        }
    }
}

impl Policy {
    /// How long a session lives that is not used.
    pub fn idle(&self, remember: bool) -> Duration {
        if remember { self.remembered_idle } else { self.idle }
    }

    /// "Last seen" must be known long before a session would end for want of it.
    fn touch_every(&self, remember: bool) -> Duration {
        self.touch_every.min(self.idle(remember) / 4)
    }

    /// How often [`Sessions::flush_touches`] is to be called.
    pub fn flush_every(&self) -> Duration {
        let soonest = self.idle.min(self.remembered_idle) / 4;
        soonest.clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    /// How long a session may live at most; also how long a browser should keep a remembered key.
    pub fn absolute(&self, remember: bool) -> Duration {
        if remember { self.remembered_absolute } else { self.absolute }
    }
}

/// What the application knows of a principal, read together with the session itself.
pub trait Owner: Sized + Send + Sync + 'static {
    /// Which rows of the table are theirs. Sessions of another kind do not exist for them: they are not found, listed,
    /// counted or ended.
    const KIND: &'static str = "user";

    /// The live sessions that `keys` open, each with its owner: one query for all of them, best with a join
    /// ([`live`] for those without). A session whose principal may not be logged in any more (gone, disabled) is
    /// left out, as if it did not exist.
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<Live<Self>>, Fault>;
}

/// For applications that keep nothing about their principals.
impl Owner for () {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<Live<()>>, Fault> {
        Ok(live::<Self>(conn, keys)?.into_iter().map(|row| row.owned_by(())).collect())
    }
}

/// The sessions of one application. Cloning shares the pool and what is kept in memory.
pub struct Sessions<O: Owner = ()> {
    db: Db,
    policy: Policy,
    /// Whether a change has to be waited for.
    served_from_memory: bool,
    shared: Arc<Shared<O>>,
}

/// What all workers of an instance share.
struct Shared<O> {
    cache: Cache<Kept<O>>,
    lists: Cache<List>,
    texts: Texts,
    lease: Lease,
    lookups: Lookups<O>,
    touches: Touches,
    keeper: Mouthpiece,
    counts: Counts,
}

/// What happened here, for whoever watches.
#[derive(Default)]
pub struct Counts {
    /// Found in memory.
    pub hits: Counter,
    /// Not in memory, so the database was asked.
    pub misses: Counter,
    /// Memory was not to be trusted, so the database was asked.
    pub bypasses: Counter,
    /// How long it took until what was taken back was gone everywhere.
    pub everywhere: Durations,
    /// Of those, how often a lease had to run out because somebody did not answer.
    pub run_out: Counter,
}

impl<O> Shared<O> {
    /// What was read of these principals is not served any more.
    fn forget(&self, changed: &[Principal]) {
        self.cache.forget(changed);
        self.lists.forget(changed);
    }

    fn forget_everything(&self) {
        self.cache.clear();
        self.lists.clear();
    }
}

/// The way to the keeper, if there is one.
#[derive(Default)]
struct Mouthpiece(Mutex<Option<mpsc::Sender<keeper::Command>>>);

impl Mouthpiece {
    fn set(&self, commands: mpsc::Sender<keeper::Command>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
    }

    fn tell(&self, command: keeper::Command) -> bool {
        let commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }
}

impl<O: Owner> Clone for Sessions<O> {
    fn clone(&self) -> Self {
        let Self { policy, served_from_memory, .. } = *self;
        Self { db: self.db.clone(), policy, served_from_memory, shared: Arc::clone(&self.shared) }
    }
}

impl<O: Owner> Sessions<O> {
    /// Reads every session from the database until somebody [keeps](Self::keep) them.
    pub fn new(db: Db, policy: Policy) -> Self {
        let shared = Shared {
            cache: Cache::new(policy.cached),
            lists: Cache::new(policy.cached.min(LISTS)),
            texts: Texts::default(),
            lease: Lease::none(),
            lookups: Lookups::default(),
            touches: Touches::default(),
            keeper: Mouthpiece::default(),
            counts: Counts::default(),
        };
        Self { db, policy, served_from_memory: true, shared: Arc::new(shared) }
    }

    /// For sessions of a kind that no instance keeps in memory: a change of them is over when it is committed, and
    /// [`Sessions::write`] waits for nothing more.
    pub fn never_in_memory(self) -> Self {
        Self { served_from_memory: false, ..self }
    }

    /// The store for `actix_session::SessionMiddleware`.
    pub fn store(&self) -> PgStore<O> {
        PgStore::new(self.clone())
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What happened since the start.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// How many sessions are in memory.
    pub fn cached(&self) -> usize {
        self.shared.cache.len()
    }

    /// Whether sessions are served from memory: not before the keeper has heard itself, nor after its connection
    /// broke.
    pub fn is_trusted(&self) -> bool {
        self.shared.lease.now().is_some()
    }

    /// The live session of `key` with its owner, or `None`. From memory while the lease holds, otherwise from the
    /// database. Notes that it was seen, at most once a [`Policy::touch_every`].
    ///
    /// # Errors
    /// Any [`Fault`] of the database: the caller knows nothing and must not admit anybody.
    pub async fn find(&self, key: &Key) -> Result<Option<Live<O>>, Fault> {
        self.find_by_hash(key.hash()).await
    }

    async fn find_by_hash(&self, key: KeyHash) -> Result<Option<Live<O>>, Fault> {
        let live = match self.recall(&key) {
            Some(live) => {
                self.shared.counts.hits.count();
                live
            }
            None => {
                let counts = &self.shared.counts;
                if self.is_trusted() {
                    counts.misses.count()
                } else {
                    counts.bypasses.count()
                }
                match self.look_up(key).await? {
                    Some(live) => live,
                    None => return Ok(None),
                }
            }
        };
        if live.is_due(live.now, self.policy.touch_every(live.record.remember)) {
            self.shared.touches.note(live.record.handle, live.now);
            // About to end for want of what was just noted: that cannot wait for the next flush.
            if live.record.expires_at.since(live.now) < 2 * self.policy.flush_every() {
                self.flush_soon();
            }
        }
        Ok(Some(live))
    }

    /// What memory says. First the lease and then the cache: what is announced in between is gone from it.
    fn recall(&self, key: &KeyHash) -> Option<Live<O>> {
        let now = self.shared.lease.now()?;
        let kept = self.shared.cache.get(key)?;
        kept.holds(now).then_some(Live { kept, now })
    }

    /// Opens a session inside the caller's transaction, so that it stands or falls with the log-in.
    pub fn open(&self, change: &mut Change<'_>, login: &Login) -> Result<(Key, Handle), Fault> {
        self.open_counting(change, login).map(|(key, handle, _)| (key, handle))
    }

    /// The same; answers as well how many of the oldest sessions ended because of the limit.
    pub fn open_counting(
        &self,
        change: &mut Change<'_>,
        login: &Login,
    ) -> Result<(Key, Handle, usize), Fault> {
        let key = Key::generate()?;
        let life = self.policy.idle(login.remember).min(self.policy.absolute(login.remember));
        let handle = queries::insert(change, O::KIND, &key.hash(), login, life)?;
        change.opened(login.principal);
        let ended = queries::revoke_oldest(change, login.principal, self.policy.per_principal)?;
        if ended > 0 {
            change.recall();
        }
        Ok((key, handle, ended))
    }

    /// Gives `live` a new key inside the caller's transaction; handle and absolute limit stay. With
    /// `confirmed`, the owner has just proven themselves again.
    ///
    /// One conditional statement: of two parallel rotations one wins, and a revocation always does.
    /// `None` means it lost: the session ended or has another key by now, and nothing was written.
    pub fn rotate(
        &self,
        change: &mut Change<'_>,
        live: &Live<O>,
        confirmed: bool,
    ) -> Result<Option<Key>, Fault> {
        let key = Key::generate()?;
        let remember = live.record.remember;
        let (idle, absolute) = (self.policy.idle(remember), self.policy.absolute(remember));
        let won = queries::rotate(
            change,
            live.record.handle,
            &live.key_hash,
            &key.hash(),
            confirmed,
            idle,
            absolute,
        )?;
        if won {
            change.recall();
        }
        Ok(won.then_some(key))
    }
}
