//! Reading live sessions by their keys: the one query a guarded request may need.

use std::sync::Arc;

use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::record::{Kept, Others};
use crate::{KeyHash, Live, Owner, Record};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

/// The columns of [`row`](live_rows!) in the order in which [`Row`] takes them.
pub type Columns = (Vec<u8>, Record, Vec<Moment>, Moment);

/// A live session as it was read, still without its owner.
pub struct Row {
    key_hash: KeyHash,
    pub record: Record,
    others: Others,
    now: Moment,
}

impl TryFrom<Columns> for Row {
    type Error = Fault;

    fn try_from((key_hash, record, others, now): Columns) -> Result<Self, Fault> {
        let key_hash = key_hash.try_into().map_err(|_| Fault::Bug("a key's hash has 32 bytes".into()))?;
        Ok(Self { key_hash: KeyHash::new(key_hash), record, others: Others::new(&others, now), now })
    }
}

impl Row {
    pub fn owned_by<O>(self, owner: O) -> Live<O> {
        let Self { key_hash, record, others, now } = self;
        Live { kept: Arc::new(Kept::new(key_hash, record, others, owner)), now }
    }
}

/// What makes a row live: neither revoked nor, by the database's clock, expired.
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

/// The live sessions of `$kind` that `$keys` (of the type `Vec<Vec<u8>>`) open, as a query to join the owner to. A macro, because
/// a query's type is longer than itself; not SQL text, because that would be parsed anew each time.
#[macro_export]
macro_rules! live_rows {
    ($kind:expr, $keys:expr) => {{
        use diesel::prelude::*;
        use $crate::schema::sessions::dsl;
        $crate::schema::sessions::table
            .filter(dsl::key_hash.eq_any($keys))
            .filter(dsl::kind.eq($kind))
            .filter($crate::is_live!())
    }};
}

/// What to select of them: [`Columns`], and `$owner`.
#[macro_export]
macro_rules! live_columns {
    ($($owner:expr)?) => {{
        use diesel::prelude::*;
        use $crate::schema::sessions::dsl;
        let others = diesel::alias!($crate::schema::sessions as others);
        let ends = others
            .filter(others.field(dsl::principal).eq(dsl::principal))
            .filter(others.field(dsl::handle).ne(dsl::handle))
            .filter($crate::is_live!(others))
            .select(others.field(dsl::expires_at));
        (
            dsl::key_hash,
            $crate::Record::as_select(),
            diesel::dsl::array::<diesel::sql_types::Timestamptz, _>(ends),
            $crate::db::time::now(),
            $($owner,)?
        )
    }};
}

/// For owners that are not in this database.
pub fn live<O: Owner>(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<Row>, Fault> {
    let rows: Vec<Columns> = live_rows!(O::KIND, bytes(keys)).select(live_columns!()).load(conn)?;
    rows.into_iter().map(Row::try_from).collect()
}

/// What Postgres plans for where it cannot see how many keys there are is ten. With fewer in sight a plan made for just
/// them looks cheaper, so it would make one for every lookup, which costs more than the lookup.
const PLANNED_FOR: usize = 12;

/// As a query takes them: never so few that it is planned anew. A key that comes twice is looked for once.
pub fn bytes(keys: &[KeyHash]) -> Vec<Vec<u8>> {
    let last = keys.last().into_iter().cycle().take(PLANNED_FOR.saturating_sub(keys.len()));
    keys.iter().chain(last).map(|key| key.as_bytes().to_vec()).collect()
}

/// Lets tables of the application appear in one query with [`sessions`](crate::schema::sessions).
#[macro_export]
macro_rules! joinable_with_sessions {
    ($($table:ident),+ $(,)?) => {$(
        impl diesel::query_source::TableNotEqual<$table::table> for $crate::schema::sessions::table {}
        impl diesel::query_source::TableNotEqual<$crate::schema::sessions::table> for $table::table {}
    )+};
}
