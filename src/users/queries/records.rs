//! Users for programs: everything about each in one query, with a keyset instead of an offset.

use diesel::dsl::{array, exists, sql};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users::{self, dsl};
use crate::db::schema::{group_members, passkeys, totp};
use crate::db::time::Moment;
use crate::identity::queries::containing_address;
use crate::identity::{EnrolledFactors, GroupName, Role, UserId};
use crate::users::queries::admin::{UserRowColumns, matches};

/// A user with groups, factors and the number of live sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRecord {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub disabled: bool,
    /// The user requested the deletion of the account.
    pub leaving: bool,
    /// Sorted.
    pub groups: Vec<String>,
    pub factors: EnrolledFactors,
    pub sessions: i64,
    pub created_at: OffsetDateTime,
    pub last_login_at: Option<OffsetDateTime>,
}

/// Which users, and in which order.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Part of the name or the address; empty: all.
    pub q: String,
    pub role: Option<Role>,
    pub group: Option<GroupName>,
    pub state: Option<UserState>,
    pub order: UserOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    Active,
    Disabled,
    /// About to be deleted, and not disabled.
    Leaving,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserOrder {
    #[default]
    NewestFirst,
    OldestFirst,
    Name,
    Email,
}

/// The position of a user in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserKey {
    /// The name or the address, in an order by these.
    text: Option<String>,
    /// The time of the registration, in the other orders.
    at: Option<i64>,
    id: Uuid,
}

impl UserKey {
    pub fn of(user: &UserRecord, order: UserOrder) -> Self {
        let (text, at) = match order {
            UserOrder::NewestFirst | UserOrder::OldestFirst => (None, Some(Moment::from(user.created_at).0)),
            UserOrder::Name => (Some(user.name.clone()), None),
            UserOrder::Email => (Some(user.email.clone()), None),
        };
        Self { text, at, id: user.id.0 }
    }
}

/// The live sessions of a user.
const SESSIONS: &str = "(SELECT count(*) FROM sessions s WHERE s.principal = users.id AND s.kind = 'user' \
    AND s.revoked_at IS NULL AND s.expires_at > now())";

/// The columns of a user, the groups, whether there is an authenticator app, whether a passkey, and the sessions.
type UserRecordColumns = (UserRowColumns, Vec<String>, bool, bool, i64);

macro_rules! record_columns {
    () => {{
        let groups = group_members::table
            .filter(group_members::user_id.eq(users::id))
            .select(group_members::group_name);
        let apps = totp::table.filter(totp::user_id.eq(users::id)).filter(totp::active_at.is_not_null());
        let keys = passkeys::table.filter(passkeys::user_id.eq(users::id));
        (
            UserRowColumns::as_select(),
            array::<Text, _>(groups),
            exists(apps),
            exists(keys),
            sql::<BigInt>(SESSIONS),
        )
    }};
}

pub(crate) fn user_record(conn: &mut PgConnection, id: UserId) -> Result<Option<UserRecord>, Fault> {
    let row: Option<UserRecordColumns> =
        users::table.filter(dsl::id.eq(id.0)).select(record_columns!()).first(conn).optional()?;
    row.map(record).transpose()
}

pub(crate) fn user_records(
    conn: &mut PgConnection,
    filter: &UserFilter,
    after: Option<&UserKey>,
    limit: i64,
) -> Result<Vec<UserRecord>, Fault> {
    let [typed, unicode, ascii] = containing_address(&filter.q);
    let mut rows = users::table.select(record_columns!()).limit(limit).into_boxed::<Pg>();
    if !filter.q.is_empty() {
        rows = rows.filter(matches(&typed, &unicode, &ascii));
    }
    if let Some(role) = filter.role {
        rows = rows.filter(dsl::role.eq(role.as_str()));
    }
    if let Some(group) = &filter.group {
        let members = group_members::table
            .filter(group_members::group_name.eq(group.as_str()))
            .select(group_members::user_id);
        rows = rows.filter(dsl::id.eq_any(members));
    }
    rows = match filter.state {
        None => rows,
        Some(UserState::Disabled) => rows.filter(dsl::disabled_at.is_not_null()),
        Some(UserState::Active) => {
            rows.filter(dsl::disabled_at.is_null()).filter(dsl::delete_after.is_null())
        }
        Some(UserState::Leaving) => {
            rows.filter(dsl::disabled_at.is_null()).filter(dsl::delete_after.is_not_null())
        }
    };
    if let Some(UserKey { text, at, id }) = after {
        let (text, at) = (text.clone().unwrap_or_default(), Moment(at.unwrap_or_default()));
        rows = match filter.order {
            UserOrder::NewestFirst => {
                rows.filter(dsl::created_at.lt(at).or(dsl::created_at.eq(at).and(dsl::id.gt(*id))))
            }
            UserOrder::OldestFirst => {
                rows.filter(dsl::created_at.gt(at).or(dsl::created_at.eq(at).and(dsl::id.gt(*id))))
            }
            UserOrder::Name => {
                rows.filter(dsl::name.gt(text.clone()).or(dsl::name.eq(text).and(dsl::id.gt(*id))))
            }
            UserOrder::Email => {
                rows.filter(dsl::email.gt(text.clone()).or(dsl::email.eq(text).and(dsl::id.gt(*id))))
            }
        };
    }
    rows = match filter.order {
        UserOrder::NewestFirst => rows.order((dsl::created_at.desc(), dsl::id)),
        UserOrder::OldestFirst => rows.order((dsl::created_at, dsl::id)),
        UserOrder::Name => rows.order((dsl::name, dsl::id)),
        UserOrder::Email => rows.order((dsl::email, dsl::id)),
    };
    let found: Vec<UserRecordColumns> = rows.load(conn)?;
    found.into_iter().map(record).collect()
}

fn record((row, mut groups, totp, passkey, sessions): UserRecordColumns) -> Result<UserRecord, Fault> {
    groups.sort_unstable();
    let role =
        Role::parse(&row.role).ok_or_else(|| Fault::bug(format_args!("unknown role {:?}", row.role)))?;
    Ok(UserRecord {
        id: UserId(row.id),
        name: row.name,
        email: row.email,
        role,
        disabled: row.disabled_at.is_some(),
        leaving: row.delete_after.is_some(),
        groups,
        factors: EnrolledFactors { totp, passkey },
        sessions,
        created_at: row.created_at,
        last_login_at: row.last_login_at,
    })
}
