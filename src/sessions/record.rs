//! What is kept about a session.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{KeyHash, State};
use crate::db::schema::sessions;

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = SqlUuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl diesel::serialize::ToSql<SqlUuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<SqlUuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<SqlUuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                diesel::deserialize::FromSql::<SqlUuid, diesel::pg::Pg>::from_sql(bytes).map(Self)
            }
        }
    };
}

public_id! {
    /// The public, stable id of a session: in lists and URLs, worthless as a credential.
    Handle
}

public_id! {
    /// Who a session belongs to; all that this room knows of them.
    Principal
}

/// A log-in about to become a session.
#[derive(Clone, Debug)]
pub struct Login {
    pub principal: Principal,
    /// "Keep me logged in": chooses the longer pair of clocks.
    pub remember: bool,
    /// How they proved themselves, such as `password`.
    pub factor: String,
    /// Where from; cut to what the columns hold.
    pub address: String,
    pub user_agent: String,
}

/// A row as it is listed.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct Record {
    pub handle: Handle,
    pub principal: Principal,
    pub state: State,
    pub remember: bool,
    pub factor: String,
    pub address: String,
    pub user_agent: String,
    pub created_at: OffsetDateTime,
    pub confirmed_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// A session that was live when it was read, with its owner.
pub struct Live<O> {
    pub(super) key_hash: KeyHash,
    pub record: Record,
    /// The database's time when the session was read: what its clocks are compared with.
    pub now: OffsetDateTime,
    pub owner: O,
}

impl<O> Live<O> {
    /// Whether the owner proved themselves within the last `window`.
    pub fn confirmed_within(&self, window: Duration) -> bool {
        self.now - self.record.confirmed_at <= window
    }

    pub(super) fn state_with_principal(&self, identity_key: &str) -> HashMap<String, String> {
        let mut state = self.record.state.0.clone();
        state.insert(identity_key.to_owned(), format!("\"{}\"", self.record.principal));
        state
    }
}
