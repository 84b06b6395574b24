//! Deletes access tokens, and returns those that had not expired, for the events about them.

use ::time::OffsetDateTime;
use diesel::connection::SimpleConnection as _;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::audit::TokenDetail;
use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::UserId;
use latchkey_sessions::Handle;

/// Which tokens of a user.
#[derive(Clone, Copy)]
pub(in crate::cleanup) enum DeletedTokens<'a> {
    All,
    /// Those that were created by sessions that this transaction has ended.
    OfEndedSessions,
    /// Those that were created by other sessions than this one. The operator's stay.
    OfOtherSessions(Handle),
    /// Those for the API that have another scope than these.
    WithOtherScopes(&'a [&'a str]),
}

/// A deleted token.
#[derive(QueryableByName)]
struct DeletedToken {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    user_id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: OffsetDateTime,
    #[diesel(sql_type = Bool)]
    is_expired: bool,
}

impl DeletedToken {
    fn detail(self) -> (UserId, TokenDetail) {
        let Self { id, user_id, name, scopes, expires_at, .. } = self;
        (UserId(user_id), TokenDetail { token: name, token_id: id, scopes, expires: expires_at })
    }
}

/// Deletes the tokens `t` under a condition.
macro_rules! delete_tokens {
    ($condition:literal) => {
        concat!(
            "WITH gone AS (DELETE FROM tokens t WHERE ",
            $condition,
            " RETURNING t.id, t.user_id, t.name, t.scopes, t.app, t.created_at, t.expires_at) \
             SELECT g.id, g.user_id, g.name, \
             CASE WHEN a.slug IS NULL THEN g.scopes ELSE ARRAY['app:' || a.slug] END AS scopes, \
             date_trunc('second', g.expires_at) AS expires_at, g.expires_at <= now() AS is_expired \
             FROM gone g LEFT JOIN apps a ON a.id = g.app ORDER BY g.user_id, g.created_at, g.id"
        )
    };
}

/// Deletes tokens of a user.
pub(in crate::cleanup) fn delete_tokens(
    conn: &mut PgConnection,
    user: UserId,
    which: DeletedTokens<'_>,
) -> Result<Vec<(UserId, TokenDetail)>, Fault> {
    let statement = |text: &'static str| sql_query(text).into_boxed::<Pg>().bind::<SqlUuid, _>(user.0);
    let deletion = match which {
        DeletedTokens::All => statement(delete_tokens!("t.user_id = $1")),
        // `now()` is the same throughout a transaction.
        DeletedTokens::OfEndedSessions => statement(delete_tokens!(
            "t.user_id = $1 AND t.made_by IN (SELECT handle FROM sessions WHERE principal = $1 AND revoked_at = now())"
        )),
        DeletedTokens::OfOtherSessions(here) => {
            statement(delete_tokens!("t.user_id = $1 AND t.made_by <> $2")).bind::<SqlUuid, _>(here.0)
        }
        DeletedTokens::WithOtherScopes(scopes) => {
            let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            statement(delete_tokens!("t.user_id = $1 AND t.app IS NULL AND NOT t.scopes <@ $2"))
                .bind::<Array<Text>, _>(scopes)
        }
    };
    let deleted: Vec<DeletedToken> = deletion.load(conn)?;
    Ok(live(deleted))
}

/// Deletes the tokens of all users for an app.
pub(in crate::cleanup) fn delete_tokens_of_app(
    conn: &mut PgConnection,
    app: Uuid,
) -> Result<Vec<(UserId, TokenDetail)>, Fault> {
    let deleted: Vec<DeletedToken> =
        sql_query(delete_tokens!("t.app = $1")).bind::<SqlUuid, _>(app).load(conn)?;
    Ok(live(deleted))
}

/// Deletes one batch of the tokens of all users, and announces all at once. Also returns how many there were, with the
/// expired ones.
pub(in crate::cleanup) fn delete_tokens_of_all(
    conn: &mut PgConnection,
    until: Moment,
    batch: i64,
) -> Result<(usize, Vec<(UserId, TokenDetail)>), Fault> {
    conn.batch_execute("SET LOCAL latchkey.everybody = 'yes'")?;
    let statement = delete_tokens!(
        "t.ctid = ANY (ARRAY( \
         SELECT ctid FROM tokens WHERE created_at <= $1 ORDER BY user_id, id LIMIT $2 FOR UPDATE))"
    );
    let deleted: Vec<DeletedToken> =
        sql_query(statement).bind::<Timestamptz, _>(until).bind::<BigInt, _>(batch).load(conn)?;
    Ok((deleted.len(), live(deleted)))
}

fn live(deleted: Vec<DeletedToken>) -> Vec<(UserId, TokenDetail)> {
    deleted.into_iter().filter(|token| !token.is_expired).map(DeletedToken::detail).collect()
}
