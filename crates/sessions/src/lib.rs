//! Server-side sessions in Postgres: a session store for actix-session that can also list, rotate and revoke sessions,
//! and that serves them from memory without serving what was revoked.
//!
//! A session belongs to a [`Principal`]. Without one it is not stored: anonymous visitors have no session, and saving one
//! for them is an error. The crate knows no users, pages or settings. The application says with an [`Owner`] what is read
//! about a principal together with the session.
//!
//! ```no_run
//! use actix_session::SessionMiddleware;
//! use actix_web::{App, cookie::Key, middleware::from_fn};
//! use latchkey_sessions::{Db, Policy, PoolSettings, Store, request};
//!
//! # fn build(key: Key) {
//! let db = Db::new("postgresql://localhost/shop", PoolSettings::default());
//! let (store, background) = Store::builder(db).policy(Policy::default()).spawn();
//! let app = App::new()
//!     .wrap(SessionMiddleware::new(store.clone(), key))
//!     .wrap(from_fn(request::middleware)); // outermost: lets handlers see the record and issue keys
//! # }
//! ```
//!
//! Log in with `actix_identity::Identity::login(&extensions, uuid)`: the principal becomes a column. Or in a transaction
//! of your own, with [`Store::open`] and [`request::issue_key`]. `examples/shop` logs in, lists and revokes.
//!
//! # What to read
//! | | begins in | then |
//! |---|---|---|
//! | **load** | [`Store::find`] | `lease.rs` says whether `cache.rs` may answer; otherwise `load.rs` asks Postgres for many keys at once, with the query of `queries/live.rs` |
//! | **fill** | `load.rs`, `answer` | `cache.rs` refuses what was read before a change was announced |
//! | **revoke** | [`Store::write`] in `session_tx.rs` | triggers announce the commit on the channel (`message.rs`); the `listener.rs` of each instance evicts and acknowledges; the transaction waits for all of them, or until their leases have expired |
//! | **scoped keys** | [`Store::open_scoped_key`], [`Store::find_scoped`] | `scoped_key.rs` says what they are; `batch.rs` reads them with their sessions; a trigger deletes them with the revocation |
//! | **observers** | [`Store::observe`] | `inner.rs` tells them after the caches have evicted, and before the listener acknowledges |
//! | **leased caches** | [`Store::leased_cache`] | `leased.rs` says what the application provides; `leased_cache.rs` finds its entries in the same `cache.rs`, under the same lease; `leased_load.rs` reads them in batches; `unknown_keys.rs` remembers keys without a row |
//! | **streams** | [`Streams::open`] | `streams.rs`: responses and websockets that outlive their lookup; an [`Observer`] of the application marks them before a change is acknowledged |
//! | **touch** | [`Store::find`] | `touches.rs` notes it and writes many at once, later |
//!
//! # What the store returns
//! | call | live row | missing, expired or revoked row | database failure |
//! |---|---|---|---|
//! | `load` | its state, with the principal | `None`: the request is anonymous | error: neither logged in nor out |
//! | `save` | – | a new row; without a principal nothing is stored and the call fails | error, no row |
//! | `update` | state replaced, clocks unchanged: the use was noted on load; a state without its principal ends the session | nothing is written or created; the dead key is returned | error, row unchanged |
//! | `update_ttl` | idle clock restarted, within the absolute limit | nothing | error |
//! | `delete` | tombstone, even if another request rotated the key meanwhile | nothing | error, row unchanged |
//!
//! The `ttl` that `save`, `update` and `update_ttl` are given is ignored. It is the lifetime of actix-session's cookie,
//! one for all sessions. How long a session lives is decided by the [`Policy`], which has two clocks, and two more for
//! remembered sessions. Give the cookie at least [`Policy::absolute`].
//!
//! `Session::renew()` calls `delete`, then `save`: a new session with a new handle and new clocks. If the old one was
//! revoked while the request ran, the new one is not stored; but a `revoke_all` between the two calls finds neither. To
//! change only the key, use [`Store::rotate`] and [`request::issue_key`]; to log in, [`Store::open`]. Each is one
//! statement of the caller's transaction.

#![deny(missing_docs)]

mod background;
mod batch;
mod batch_loader;
mod builder;
mod cache;
mod end_scoped_key;
mod find;
mod find_scoped;
mod flush;
mod ids;
mod inner;
mod interner;
mod key;
mod lease;
mod leased;
mod leased_cache;
mod leased_load;
mod listener;
mod listener_handle;
mod lists;
mod load;
mod load_each;
mod locks;
mod lookup;
mod message;
mod observe;
mod observer;
mod open;
mod open_scoped_key;
mod owner;
mod ping;
mod policy;
mod queries;
mod record;
mod registry;
pub mod request;
#[allow(missing_docs)] // Generated.
pub mod schema;
mod scoped_key;
mod session_list;
mod session_store;
mod session_tx;
mod state;
mod store;
mod streams;
mod touches;
mod unknown_keys;
mod write_touches;

use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

pub use latchkey_db as db;
pub use latchkey_db::{Cause, Db, Fault, PoolSettings, Pooler};

pub use background::Background;
pub use builder::Builder;
pub use ids::{Handle, Principal};
pub use inner::StoreCounters;
pub use key::{Key, KeyHash};
pub use leased::{Leased, LeasedEntry, LeasedRow};
pub use leased_cache::LeasedCache;
pub use leased_load::LeasedCounters;
pub use listener::InvalidationListener;
pub use observer::{Changes, Observer};
pub use owner::Owner;
pub use ping::{InstancePing, ping_instances};
pub use policy::Policy;
pub use queries::{Columns, LiveRow, OwnedColumns, live, owned, query_keys};
pub use record::{
    CachedSession, LiveSession, LoginDetails, NewSession, OtherSessions, SessionRecord, SharedLogin,
};
pub use registry::{EndReason, Scope};
pub use scoped_key::{ScopedKeyRecord, ScopedSession, Use};
pub use session_list::SessionList;
pub use session_tx::{PendingInvalidation, SessionTx};
pub use state::{SessionState, StateTooLarge};
pub use store::Store;
pub use streams::{
    ActiveStream, Direction, OpenStream, StreamEnd, StreamGeneration, Streams, WriteGate, WritePermit,
};

/// The migrations of the tables `sessions`, `session_keys` and `listeners`. Run them before those of the tables that announce changes.
///
/// ```no_run
/// # fn migrate(url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use diesel::{Connection, PgConnection};
/// use diesel_migrations::MigrationHarness as _;
///
/// let mut conn = PgConnection::establish(url)?;
/// conn.run_pending_migrations(latchkey_sessions::MIGRATIONS)?;
/// # Ok(())
/// # }
/// ```
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Runs [`MIGRATIONS`] on the database at `url`, for applications that migrate when they start. Blocks.
///
/// # Errors
/// A [`Fault`] if the database cannot be reached, or a migration failed.
pub fn migrate(url: &str) -> Result<(), Fault> {
    let mut conn = latchkey_db::connect(url, "latchkey-sessions")?;
    conn.run_pending_migrations(MIGRATIONS).map(drop).map_err(Fault::bug)
}
