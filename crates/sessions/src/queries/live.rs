//! Reading live sessions by their keys: the one query that a request may need.

use std::iter;
use std::sync::Arc;

use diesel::pg::PgConnection;
use diesel::prelude::*;
use latchkey_db::Fault;
use latchkey_db::time::Moment;

use crate::record::{CachedSession, OtherSessions};
use crate::{KeyHash, LiveSession, Owner, SessionRecord};

/// The columns that [`live_columns!`](crate::live_columns) selects of the session: the hash of its key, its row, when
/// the owner's other sessions expire, and the database's time.
pub type Columns = (Vec<u8>, SessionRecord, Vec<Moment>, Moment);

/// The same, followed by a column of the owner.
pub type OwnedColumns<R> = (Vec<u8>, SessionRecord, Vec<Moment>, Moment, R);

/// A live session without its owner.
pub struct LiveRow {
    key_hash: KeyHash,
    /// The row.
    pub record: SessionRecord,
    others: OtherSessions,
    now: Moment,
}

impl TryFrom<Columns> for LiveRow {
    type Error = Fault;

    fn try_from((key_hash, record, others, now): Columns) -> Result<Self, Fault> {
        let key_hash =
            key_hash.try_into().map_err(|_| Fault::Bug("the hash of a key has not 32 bytes".into()))?;
        Ok(Self { key_hash: KeyHash::new(key_hash), record, others: OtherSessions::new(&others, now), now })
    }
}

impl LiveRow {
    /// Adds its owner.
    pub fn owned_by<O>(self, owner: O) -> LiveSession<O> {
        let Self { key_hash, record, others, now } = self;
        LiveSession { cached: Arc::new(CachedSession::new(key_hash, record, others, owner)), now }
    }
}

/// The rows of a query with [`live_columns!`](crate::live_columns), each with the owner that `owner` creates from the
/// last column.
///
/// # Errors
/// Those of `owner`.
pub fn owned<R, O>(
    rows: Vec<OwnedColumns<R>>,
    owner: impl Fn(R) -> Result<O, Fault>,
) -> Result<Vec<LiveSession<O>>, Fault> {
    rows.into_iter()
        .map(|(key, record, others, now, row)| {
            Ok(LiveRow::try_from((key, record, others, now))?.owned_by(owner(row)?))
        })
        .collect()
}

/// The live sessions of `keys`, for owners that are not in this database.
///
/// # Errors
/// Those of the query.
pub fn live<O: Owner>(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveRow>, Fault> {
    let rows: Vec<Columns> =
        crate::live_sessions!(O::KIND, query_keys(keys)).select(crate::live_columns!()).load(conn)?;
    rows.into_iter().map(LiveRow::try_from).collect()
}

/// Postgres assumes ten keys if it cannot see how many there are. If it can see fewer, a plan for exactly these looks
/// cheaper, so it would plan every lookup anew, which costs more than the lookup.
const PLANNED_FOR: usize = 12;

/// `keys`, repeated until there are enough that the query is not planned anew. A repeated key is found once.
pub fn query_keys(keys: &[KeyHash]) -> Vec<Vec<u8>> {
    let fillers = PLANNED_FOR.saturating_sub(keys.len());
    let last = keys.last().into_iter().flat_map(|key| iter::repeat_n(key, fillers));
    keys.iter().chain(last).map(|key| key.as_bytes().to_vec()).collect()
}

/// The condition for a live row: not revoked and not expired by the database's clock. With the name of an alias of the
/// table, for its rows.
#[macro_export]
macro_rules! is_live {
    () => {{
        use $crate::schema::sessions::dsl;
        dsl::revoked_at.is_null().and(dsl::expires_at.gt(diesel::dsl::now))
    }};
    ($alias:ident) => {{
        use $crate::schema::sessions::dsl;
        $alias.field(dsl::revoked_at).is_null().and($alias.field(dsl::expires_at).gt(diesel::dsl::now))
    }};
}

/// The live sessions of kind `$kind` and keys `$keys` ([`query_keys`](crate::query_keys)), as a Diesel query to be
/// joined with the owner's table. A macro, because the type of the query is too long to write; not SQL text, because
/// Postgres would parse that each time.
#[macro_export]
macro_rules! live_sessions {
    ($kind:expr, $keys:expr) => {{
        use diesel::prelude::*;
        use $crate::schema::sessions::dsl;
        $crate::schema::sessions::table
            .filter(dsl::key_hash.eq_any($keys))
            .filter(dsl::kind.eq($kind))
            .filter($crate::is_live!())
    }};
}

/// The columns to select from [`live_sessions!`](crate::live_sessions): the session's [`Columns`](crate::Columns), then
/// `$owner`, a single expression such as a tuple or `Row::as_select()`.
#[macro_export]
macro_rules! live_columns {
    ($($owner:expr)?) => {{
        use diesel::prelude::*;
        use $crate::schema::sessions::dsl;
        let others = diesel::alias!($crate::schema::sessions as others);
        let expiries = others
            .filter(others.field(dsl::principal).eq(dsl::principal))
            .filter(others.field(dsl::handle).ne(dsl::handle))
            .filter($crate::is_live!(others))
            .select(others.field(dsl::expires_at));
        (
            dsl::key_hash,
            $crate::SessionRecord::as_select(),
            diesel::dsl::array::<diesel::sql_types::Timestamptz, _>(expiries),
            $crate::db::time::now(),
            $($owner,)?
        )
    }};
}

/// Lets tables of the application appear in one query with [`sessions`](crate::schema::sessions): for joins in
/// [`Owner::load`](crate::Owner::load).
#[macro_export]
macro_rules! joinable_with_sessions {
    ($($table:ident),+ $(,)?) => {$(
        impl diesel::query_source::TableNotEqual<$table::table> for $crate::schema::sessions::table {}
        impl diesel::query_source::TableNotEqual<$crate::schema::sessions::table> for $table::table {}
    )+};
}
