//! The table of tokens.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, Binary, Timestamptz};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::apps::{AppId, Slug};
use crate::db::Fault;
use crate::db::schema::{apps, tokens, users};
use crate::db::time::{self as clock, Moment};
use crate::identity::queries::{SessionUser, session_user, session_user_columns};
use crate::identity::{Role, User, UserId};
use crate::tokens::{ApiScope, RequestedScopes, TokenId, TokenRecord, TokenScopes};
use latchkey_sessions::{Handle, KeyHash, query_keys};

/// A row of the table.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tokens, check_for_backend(Pg))]
pub(super) struct StoredToken {
    pub id: Uuid,
    pub user_id: Uuid,
    pub token_hash: Vec<u8>,
    pub name: String,
    scopes: Vec<Option<String>>,
    app: Option<Uuid>,
    pub made_by: Option<Uuid>,
    pub created_at: Moment,
    pub last_used_at: Option<Moment>,
    pub expires_at: Moment,
}

impl StoredToken {
    /// A scope that only a newer version knows is ignored.
    pub(super) fn scopes(&self) -> TokenScopes {
        match self.app {
            Some(app) => TokenScopes::App(AppId(app)),
            None => TokenScopes::Api(
                self.scopes.iter().flatten().filter_map(|text| ApiScope::parse(text)).collect(),
            ),
        }
    }
}

/// A token with its user, for the cache.
pub(super) struct TokenOfUser {
    pub row: StoredToken,
    pub user: User,
    pub is_disabled: bool,
    /// The database's time.
    pub read_at: Moment,
}

/// The tokens of `keys` with their users, in one query.
pub(super) fn tokens_of_keys(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<TokenOfUser>, Fault> {
    let rows: Vec<(StoredToken, Option<OffsetDateTime>, Moment, SessionUser)> = tokens::table
        .inner_join(users::table)
        .filter(tokens::token_hash.eq_any(query_keys(keys)))
        .select((StoredToken::as_select(), users::disabled_at, clock::now(), session_user_columns!()))
        .load(conn)?;
    rows.into_iter()
        .map(|(row, disabled_at, read_at, user)| {
            let (user, is_disabled) = (session_user(user)?, disabled_at.is_some());
            Ok(TokenOfUser { row, user, is_disabled, read_at })
        })
        .collect()
}

/// Writes when tokens were last used. Rows locked by another transaction are skipped.
pub(super) fn touch(conn: &mut PgConnection, used: &[(KeyHash, Moment)]) -> Result<usize, Fault> {
    let (keys, moments): (Vec<&[u8]>, Vec<Moment>) =
        used.iter().map(|(key, moment)| (key.as_bytes(), *moment)).unzip();
    Ok(sql_query(
        "UPDATE tokens SET last_used_at = t.used \
         FROM (SELECT k.token_hash, used FROM unnest($1, $2) AS u (token_hash, used) \
               JOIN tokens k ON k.token_hash = u.token_hash \
               WHERE coalesce(k.last_used_at < used, true) ORDER BY k.token_hash FOR NO KEY UPDATE OF k SKIP LOCKED) t \
         WHERE tokens.token_hash = t.token_hash",
    )
    .bind::<Array<Binary>, _>(keys)
    .bind::<Array<Timestamptz>, _>(moments)
    .execute(conn)?)
}

/// A token to be inserted.
pub(super) struct InsertedToken<'a> {
    pub user: UserId,
    pub key: &'a KeyHash,
    pub name: &'a str,
    pub scopes: TokenScopes,
    pub lifetime: Duration,
    pub made_by: Option<Handle>,
}

pub(super) fn insert(conn: &mut PgConnection, token: &InsertedToken<'_>) -> Result<TokenId, Fault> {
    let id = Uuid::new_v4();
    let (scopes, app): (Vec<Option<&str>>, Option<Uuid>) = match token.scopes {
        TokenScopes::Api(scopes) => (scopes.iter().map(|scope| Some(scope.as_str())).collect(), None),
        TokenScopes::App(app) => (Vec::new(), Some(app.0)),
    };
    diesel::insert_into(tokens::table)
        .values((
            tokens::id.eq(id),
            tokens::user_id.eq(token.user.0),
            tokens::token_hash.eq(token.key.as_bytes()),
            tokens::name.eq(token.name),
            tokens::scopes.eq(scopes),
            tokens::app.eq(app),
            tokens::made_by.eq(token.made_by.map(|session| session.0)),
            tokens::expires_at.eq(clock::now() + clock::interval(token.lifetime)),
        ))
        .execute(conn)?;
    Ok(TokenId(id))
}

/// Which tokens to list.
#[derive(Clone, Copy)]
pub(super) enum TokenFilter {
    All,
    OfUser(UserId),
    One(TokenId),
}

type RecordColumns = (StoredToken, String, Option<String>);

/// The tokens that have not expired, the newest first.
pub(super) fn records(conn: &mut PgConnection, filter: TokenFilter) -> Result<Vec<TokenRecord>, Fault> {
    let mut rows = tokens::table
        .inner_join(users::table)
        .left_join(apps::table)
        .filter(tokens::expires_at.gt(now))
        .order((tokens::created_at.desc(), tokens::id))
        .select((StoredToken::as_select(), users::email, apps::slug.nullable()))
        .into_boxed();
    match filter {
        TokenFilter::All => {}
        TokenFilter::OfUser(user) => rows = rows.filter(tokens::user_id.eq(user.0)),
        TokenFilter::One(token) => rows = rows.filter(tokens::id.eq(token.0)),
    }
    rows.load::<RecordColumns>(conn)?.into_iter().map(record).collect()
}

fn record((row, email, slug): RecordColumns) -> Result<TokenRecord, Fault> {
    let scopes = match (row.scopes(), slug) {
        (TokenScopes::Api(scopes), _) => RequestedScopes::Api(scopes),
        (TokenScopes::App(_), Some(slug)) => {
            RequestedScopes::App(Slug::parse(&slug).map_err(|_| Fault::bug(format_args!("app {slug:?}")))?)
        }
        (TokenScopes::App(app), None) => {
            return Err(Fault::bug(format_args!("token {} is for the unknown app {app}", row.id)));
        }
    };
    Ok(TokenRecord {
        id: TokenId(row.id),
        user: UserId(row.user_id),
        email,
        name: row.name,
        scopes,
        made_by: row.made_by.map(Handle),
        created_at: row.created_at.into(),
        expires_at: row.expires_at.into(),
        last_used_at: row.last_used_at.map(Into::into),
    })
}

/// The names of a user's tokens that have not expired.
pub(super) fn names_of(conn: &mut PgConnection, user: UserId) -> Result<Vec<String>, Fault> {
    let live = tokens::table.filter(tokens::user_id.eq(user.0)).filter(tokens::expires_at.gt(now));
    Ok(live.select(tokens::name).load(conn)?)
}

/// `false`: another transaction deleted it first.
pub(super) fn delete(conn: &mut PgConnection, token: TokenId) -> Result<bool, Fault> {
    Ok(diesel::delete(tokens::table.find(token.0)).execute(conn)? > 0)
}

pub(super) fn app_of_slug(conn: &mut PgConnection, slug: &Slug) -> Result<Option<AppId>, Fault> {
    let row = apps::table.filter(apps::slug.eq(slug.as_str())).select(apps::id);
    Ok(row.first(conn).optional()?.map(AppId))
}

pub(super) fn role_of(conn: &mut PgConnection, user: UserId) -> Result<Option<Role>, Fault> {
    let role: Option<String> = users::table.find(user.0).select(users::role).first(conn).optional()?;
    Ok(role.as_deref().and_then(Role::parse))
}
