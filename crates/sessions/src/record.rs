//! A session: as a row, in the cache, and in a request.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::deserialize;
use diesel::pg::Pg;
use diesel::prelude::*;
use latchkey_db::time::Moment;
use smol_str::SmolStr;
use time::OffsetDateTime;

use super::cache::Entry;
use super::ids::{Handle, Principal};
use super::{KeyHash, SessionState};
use crate::schema::sessions;

/// A log-in that is about to become a session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Who logged in.
    pub principal: Principal,
    /// "Stay logged in": chooses the longer pair of clocks.
    pub remember: bool,
    /// How the owner logged in, such as `password`.
    pub factor: String,
    /// The IP address; cut to 45 characters.
    pub address: String,
    /// The browser; cut to 400 characters.
    pub user_agent: String,
    /// The hash of the application's cookie that identifies the browser. The crate stores it and never reads it.
    pub device: Option<[u8; 32]>,
}

impl NewSession {
    /// A log-in of `principal` by `factor`, for a session that is not remembered, from an unknown address and browser.
    pub fn new(principal: Principal, factor: impl Into<String>) -> Self {
        Self {
            principal,
            remember: false,
            factor: factor.into(),
            address: String::new(),
            user_agent: String::new(),
            device: None,
        }
    }
}

/// A row of the table, without its key.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct SessionRecord {
    /// Its public id.
    pub handle: Handle,
    /// Its public id.
    pub principal: Principal,
    /// What the application stores in it through actix-session.
    pub state: SessionState,
    /// Whether it has the longer clocks.
    pub remember: bool,
    /// How and with which browser the owner logged in.
    #[diesel(embed)]
    pub login: SharedLogin,
    /// The IP address of the log-in.
    #[diesel(deserialize_as = String)]
    pub address: SmolStr,
    /// When the owner logged in.
    pub created_at: Moment,
    /// When the owner last proved their identity.
    pub confirmed_at: Moment,
    /// When it was last used, as exact as [`Policy::touch_every`](super::Policy::touch_every).
    pub last_seen_at: Moment,
    /// When it ends if it is not used.
    pub expires_at: Moment,
}

/// How and with which browser an owner logged in: few different values, which cached sessions share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
pub struct LoginDetails {
    /// How the owner logged in.
    pub factor: String,
    /// The browser of the log-in.
    pub user_agent: String,
}

/// A reference to [`LoginDetails`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLogin(pub(super) Arc<LoginDetails>);

impl From<LoginDetails> for SharedLogin {
    fn from(details: LoginDetails) -> Self {
        Self(Arc::new(details))
    }
}

impl Deref for SharedLogin {
    type Target = LoginDetails;

    fn deref(&self) -> &LoginDetails {
        &self.0
    }
}

impl Selectable<Pg> for SharedLogin {
    type SelectExpression = <LoginDetails as Selectable<Pg>>::SelectExpression;

    fn construct_selection() -> Self::SelectExpression {
        <LoginDetails as Selectable<Pg>>::construct_selection()
    }
}

impl<Columns> Queryable<Columns, Pg> for SharedLogin
where
    LoginDetails: Queryable<Columns, Pg>,
{
    type Row = <LoginDetails as Queryable<Columns, Pg>>::Row;

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        Ok(Self(Arc::new(LoginDetails::build(row)?)))
    }
}

/// A cached session is read again after this time even if no change was announced: a second safeguard.
pub(super) const MAX_AGE: Duration = Duration::from_secs(300);

/// The owner's other live sessions at the time a session was read.
#[derive(Clone, Copy, Debug)]
pub struct OtherSessions {
    /// Their number.
    pub count: u32,
    /// The number holds until the first of them expires.
    until: Moment,
}

impl OtherSessions {
    /// Computed from their expiry times.
    pub(super) fn new(expiries: &[Moment], read_at: Moment) -> Self {
        let until = expiries.iter().copied().fold(read_at.plus(MAX_AGE), Moment::min);
        Self { count: u32::try_from(expiries.len()).unwrap_or(u32::MAX), until }
    }
}

/// A live session as it was read, with its owner. It may be cached until a change is announced.
pub struct CachedSession<O> {
    pub(super) key_hash: KeyHash,
    /// The row.
    pub record: SessionRecord,
    /// The owner's other sessions.
    pub others: OtherSessions,
    /// What the application read about the owner.
    pub owner: O,
    /// When this instance last recorded its use, if that was after the row was read: a [`Moment`].
    seen: AtomicI64,
}

impl<O> CachedSession<O> {
    pub(super) fn new(key_hash: KeyHash, record: SessionRecord, others: OtherSessions, owner: O) -> Self {
        Self { key_hash, record, others, owner, seen: AtomicI64::new(i64::MIN) }
    }

    /// Whether at `now` it still agrees with the row. If not, the row is read again: the cache never decides that a
    /// session has ended, and never outlives the row, because revoking an expired row changes and announces nothing.
    pub(super) fn is_current(&self, now: Moment) -> bool {
        now < self.record.expires_at && now < self.others.until
    }

    /// Notes that it was used at `now`. Returns whether that is to be written, which is once per interval.
    pub(super) fn note_use(&self, now: Moment, interval: Duration) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        let last = self.record.last_seen_at.max(Moment(seen));
        // Of several concurrent requests one writes.
        now.since(last) >= interval
            && self.seen.compare_exchange(seen, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl<O> Entry for CachedSession<O> {
    fn key(&self) -> &KeyHash {
        &self.key_hash
    }

    fn principal(&self) -> Principal {
        self.record.principal
    }

    fn last_used(&self) -> i64 {
        self.seen.load(Ordering::Relaxed).max(self.record.last_seen_at.0)
    }
}

/// A session that is live in this request, with its owner. Cloning shares what was read; the fields of
/// [`CachedSession`] are reached through `Deref`.
pub struct LiveSession<O> {
    pub(super) cached: Arc<CachedSession<O>>,
    /// The database's time, with which the session's clocks are compared.
    pub(super) now: Moment,
}

impl<O> Clone for LiveSession<O> {
    fn clone(&self) -> Self {
        Self { cached: Arc::clone(&self.cached), now: self.now }
    }
}

impl<O> Deref for LiveSession<O> {
    type Target = CachedSession<O>;

    fn deref(&self) -> &CachedSession<O> {
        &self.cached
    }
}

impl<O> LiveSession<O> {
    /// The database's time.
    pub fn now(&self) -> OffsetDateTime {
        self.now.into()
    }

    /// The same as a column value.
    pub fn moment(&self) -> Moment {
        self.now
    }

    /// Whether the owner proved their identity within the last `window`.
    pub fn confirmed_within(&self, window: Duration) -> bool {
        self.now.since(self.record.confirmed_at) <= window
    }

    /// Whether both were read from the database at once, so that nothing has changed between them.
    pub fn is_same_reading(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cached, &other.cached)
    }

    pub(super) fn state_with_principal(&self, identity_key: &str) -> HashMap<String, String> {
        let mut state = self.record.state.to_map();
        state.insert(identity_key.to_owned(), format!("\"{}\"", self.record.principal));
        state
    }
}
