//! The database's clock in queries: every expiry is judged by it, never by the server's own.

use std::time::Duration;

use diesel::dsl::AsExprOf;
use diesel::expression::IntoSql as _;
use diesel::pg::data_types::PgInterval;
use diesel::sql_types::{Interval, Timestamptz};

/// `now()` as the columns have it, so that it can be added to.
pub fn now() -> AsExprOf<diesel::dsl::now, Timestamptz> {
    diesel::dsl::now.into_sql::<Timestamptz>()
}

/// A length of time to add to one.
pub fn interval(duration: Duration) -> AsExprOf<PgInterval, Interval> {
    to_interval(duration).into_sql::<Interval>()
}

pub fn to_interval(duration: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
