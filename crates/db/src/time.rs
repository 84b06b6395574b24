//! The database's clock. Expiry times are compared with it, never with the clock of the application's machine.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::dsl::AsExprOf;
use diesel::expression::{AsExpression, IntoSql as _};
use diesel::pg::data_types::PgInterval;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Interval, Timestamptz};

/// A moment of that clock, as `timestamptz` stores it: microseconds since 2000-01-01 UTC.
///
/// ```
/// use std::time::Duration;
/// use latchkey_db::time::Moment;
///
/// let earlier = Moment(0);
/// let later = earlier.plus(Duration::from_secs(60));
/// assert_eq!(later.since(earlier), Duration::from_secs(60));
/// assert_eq!(earlier.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamptz)]
pub struct Moment(pub i64);

/// 2000-01-01T00:00:00Z in microseconds of Unix time.
const EPOCH: i128 = 946_684_800_000_000;

impl Moment {
    /// The time from `earlier` until this; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment plus `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<Moment> for OffsetDateTime {
    fn from(moment: Moment) -> Self {
        Self::from_unix_timestamp_nanos((i128::from(moment.0) + EPOCH) * 1000).unwrap_or(Self::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1000 - EPOCH).unwrap_or(i64::MAX))
    }
}

impl FromSql<Timestamptz, Pg> for Moment {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<BigInt, Pg>::from_sql(bytes).map(Self)
    }
}

impl ToSql<Timestamptz, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<BigInt, Pg>::to_sql(&self.0, out)
    }
}

/// `now()` as a `timestamptz`, so that an [`interval`] can be added.
pub fn now() -> AsExprOf<diesel::dsl::now, Timestamptz> {
    diesel::dsl::now.into_sql::<Timestamptz>()
}

/// `duration` as an SQL expression.
pub fn interval(duration: Duration) -> AsExprOf<PgInterval, Interval> {
    to_interval(duration).into_sql::<Interval>()
}

/// `duration` as a bind value.
pub fn to_interval(duration: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
