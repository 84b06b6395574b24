//! Server-side sessions in Postgres: an `actix-session` store that can list, rotate and revoke.
//!
//! This room knows no page, no setting and no user: it is handed a [`Db`] and a [`Policy`], and the
//! application says what belongs to a [`Principal`] through [`Owner`]. That makes it usable from any
//! actix application:
//!
//! ```no_run
//! use actix_session::{SessionMiddleware, config::CookieContentSecurity};
//! use actix_web::{App, cookie::Key, middleware::from_fn};
//! use latchkey::{db::Db, sessions::{Policy, Sessions, request}};
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
//! # What the store answers
//! | call | live row | missing, expired or revoked row | database failure |
//! |---|---|---|---|
//! | `load` | its state, the principal put in | `None`: the request is anonymous | error: neither logged in nor out |
//! | `save` | – | a new row; without a principal nothing is stored and the call fails | error, no row |
//! | `update` | state replaced; a state without its principal ends the session | nothing is written, nothing created; the dead key comes back | error, row unchanged |
//! | `update_ttl` | idle clock restarted, never past the absolute limit | nothing | error |
//! | `delete` | tombstone, even if another request rotated the key meanwhile | nothing | error, row unchanged |
//!
//! `Session::renew()` is `delete` then `save`: a new session with a new handle and clock. If the old
//! one had been revoked while the request ran, the new one is not stored either; but a `revoke_all` that
//! comes between those two calls finds neither. To change only the key, use [`Sessions::rotate`] and
//! [`request::hand_over`]; to log in, [`Sessions::open`]: each is one statement of the caller's transaction.

mod key;
mod queries;
mod record;
mod registry;
pub mod request;
mod state;
mod store;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use diesel::pg::PgConnection;

use crate::db::{Db, Fault};

pub use key::{Key, KeyHash};
pub use record::{Handle, Live, Login, Principal, Record};
pub use registry::Scope;
pub use state::{State, TooLarge};
pub use store::PgStore;

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
    /// `last_seen_at` is written at most this often for one session.
    pub touch_every: Duration,
    /// Ended sessions are kept this long as tombstones before a sweep takes them.
    pub keep_ended: Duration,
    /// The oldest session ends when a principal opens more than this many (ASVS 5.0 7.1.2).
    pub per_principal: i64,
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
        }
    }
}

impl Policy {
    fn idle(&self, remember: bool) -> Duration {
        if remember { self.remembered_idle } else { self.idle }
    }

    /// How long a session may live at most; also how long a browser should keep a remembered key.
    pub fn absolute(&self, remember: bool) -> Duration {
        if remember { self.remembered_absolute } else { self.absolute }
    }
}

/// What the application knows of a principal, read on the same connection as the session itself.
pub trait Owner: Sized + Send + Sync + 'static {
    /// `None` when the principal may not be logged in any more (gone, disabled): the session is then
    /// answered as if it did not exist.
    fn load(conn: &mut PgConnection, principal: Principal) -> Result<Option<Self>, Fault>;
}

/// For applications that keep nothing about their principals.
impl Owner for () {
    fn load(_: &mut PgConnection, _: Principal) -> Result<Option<Self>, Fault> {
        Ok(Some(()))
    }
}

/// The sessions of one application. Cloning shares the pool.
pub struct Sessions<O: Owner = ()> {
    db: Db,
    policy: Policy,
    owner: PhantomData<fn() -> O>,
}

impl<O: Owner> Clone for Sessions<O> {
    fn clone(&self) -> Self {
        Self::new(self.db.clone(), self.policy)
    }
}

impl<O: Owner> Sessions<O> {
    pub fn new(db: Db, policy: Policy) -> Self {
        Self { db, policy, owner: PhantomData }
    }

    /// The store for `actix_session::SessionMiddleware`.
    pub fn store(&self) -> PgStore<O> {
        PgStore::new(self.clone())
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The live session of `key` with its owner, or `None`. Records that it was seen, at most once a
    /// [`Policy::touch_every`].
    ///
    /// # Errors
    /// Any [`Fault`] of the database: the caller knows nothing and must not admit anybody.
    pub async fn find(&self, key: &Key) -> Result<Option<Arc<Live<O>>>, Fault> {
        let (policy, key_hash) = (self.policy, key.hash());
        self.db
            .read(move |conn| {
                let Some((record, now)) = queries::find(conn, &key_hash)? else { return Ok(None) };
                let Some(owner) = O::load(conn, record.principal)? else { return Ok(None) };
                if now - record.last_seen_at >= policy.touch_every {
                    queries::touch(
                        conn,
                        &key_hash,
                        policy.idle(record.remember),
                        policy.absolute(record.remember),
                    )?;
                }
                Ok(Some(Arc::new(Live { key_hash, record, now, owner })))
            })
            .await
    }

    /// Opens a session inside the caller's transaction, so that it stands or falls with the log-in.
    pub fn open(&self, conn: &mut PgConnection, login: &Login) -> Result<(Key, Handle), Fault> {
        let key = Key::generate()?;
        let life = self.policy.idle(login.remember).min(self.policy.absolute(login.remember));
        let handle = queries::insert(conn, &key.hash(), login, life)?;
        queries::revoke_oldest(conn, login.principal, self.policy.per_principal)?;
        Ok((key, handle))
    }

    /// Gives `live` a new key inside the caller's transaction; handle and absolute limit stay. With
    /// `confirmed`, the owner has just proven themselves again.
    ///
    /// One conditional statement: of two parallel rotations one wins, and a revocation always does.
    /// `None` means it lost: the session ended or has another key by now, and nothing was written.
    pub fn rotate(
        &self,
        conn: &mut PgConnection,
        live: &Live<O>,
        confirmed: bool,
    ) -> Result<Option<Key>, Fault> {
        let key = Key::generate()?;
        let remember = live.record.remember;
        let (idle, absolute) = (self.policy.idle(remember), self.policy.absolute(remember));
        let won = queries::rotate(
            conn,
            live.record.handle,
            &live.key_hash,
            &key.hash(),
            confirmed,
            idle,
            absolute,
        )?;
        Ok(won.then_some(key))
    }
}
