//! Live sessions with their users, for programs.

use diesel::dsl::{now, sql};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Uuid as SqlUuid};
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::users;
use crate::db::time::Moment;
use crate::identity::{User, UserId};
use latchkey_sessions::schema::sessions::{self, dsl};
use latchkey_sessions::{Handle, Owner as _, SessionRecord};

/// A live session with its user, and the scopes of its keys: the apps that it entered.
pub struct SessionOfUser {
    pub record: SessionRecord,
    pub user_name: String,
    pub user_email: String,
    pub scopes: Vec<Uuid>,
}

/// Which sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionFilter {
    pub user: Option<UserId>,
    /// Those with a key of this scope.
    pub scope: Option<Uuid>,
}

/// The newest first.
pub(crate) fn sessions_of_users(
    conn: &mut PgConnection,
    filter: &SessionFilter,
    after: Option<(Moment, Handle)>,
    limit: i64,
) -> Result<Vec<SessionOfUser>, Fault> {
    let scopes = sql::<Array<SqlUuid>>(
        "ARRAY(SELECT DISTINCT k.scope FROM session_keys k WHERE k.session = sessions.handle ORDER BY 1)",
    );
    let mut rows = sessions::table
        .inner_join(users::table.on(users::id.eq(dsl::principal)))
        .filter(dsl::kind.eq(User::KIND))
        .filter(dsl::revoked_at.is_null())
        .filter(dsl::expires_at.gt(now))
        .order((dsl::created_at.desc(), dsl::handle))
        .limit(limit)
        .select((SessionRecord::as_select(), users::name, users::email, scopes))
        .into_boxed::<Pg>();
    if let Some(user) = filter.user {
        rows = rows.filter(dsl::principal.eq(user.0));
    }
    if let Some(scope) = filter.scope {
        rows = rows.filter(
            sql::<Bool>(
                "EXISTS (SELECT FROM session_keys k WHERE k.session = sessions.handle AND k.scope = ",
            )
            .bind::<SqlUuid, _>(scope)
            .sql(")"),
        );
    }
    if let Some((at, handle)) = after {
        rows = rows.filter(dsl::created_at.lt(at).or(dsl::created_at.eq(at).and(dsl::handle.gt(handle))));
    }
    let found: Vec<(SessionRecord, String, String, Vec<Uuid>)> = rows.load(conn)?;
    let session =
        |(record, user_name, user_email, scopes)| SessionOfUser { record, user_name, user_email, scopes };
    Ok(found.into_iter().map(session).collect())
}
