//! All SQL of the accounts.

mod admin;
mod people;
mod throttles;
mod tokens;
mod trail;

pub(super) use admin::*;
pub use admin::{Day, Numbers, UserRow};
pub(super) use people::*;
pub(super) use throttles::*;
pub use tokens::InvitationRow;
pub(super) use tokens::*;
pub(super) use trail::*;

use std::time::Duration;

use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Interval, Timestamptz};

/// `now()` as the columns have it, so that it can be added to.
fn db_now() -> diesel::dsl::AsExprOf<diesel::dsl::now, Timestamptz> {
    diesel::dsl::now.into_sql::<Timestamptz>()
}

fn interval(duration: Duration) -> diesel::dsl::AsExprOf<PgInterval, Interval> {
    PgInterval::from_microseconds(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
        .into_sql::<Interval>()
}

/// `%q%` with what LIKE would interpret taken literally.
fn containing(q: &str) -> String {
    format!("%{}%", q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}
