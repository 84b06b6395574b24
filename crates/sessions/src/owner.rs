//! What the application knows about the owner of a session.

use diesel::pg::PgConnection;
use latchkey_db::Fault;

use super::{KeyHash, LiveSession, live};

/// What the application reads about a principal together with the session, and is cached with it.
///
/// ```
/// # mod schema { diesel::table! { users (id) { id -> Uuid, name -> Text, disabled -> Bool, } } }
/// use diesel::pg::PgConnection;
/// use diesel::prelude::*;
/// use latchkey_sessions::schema::sessions;
/// use latchkey_sessions::{Fault, KeyHash, LiveSession, Owner, owned, query_keys};
/// use schema::users;
///
/// latchkey_sessions::joinable_with_sessions!(users);
///
/// struct User { name: String }
///
/// impl Owner for User {
///     fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
///         let rows = latchkey_sessions::live_sessions!(Self::KIND, query_keys(keys))
///             .inner_join(users::table.on(users::id.eq(sessions::principal)))
///             .filter(users::disabled.eq(false))
///             .select(latchkey_sessions::live_columns!(users::name))
///             .load(conn)?;
///         owned(rows, |name: String| Ok(Self { name }))
///     }
/// }
/// ```
pub trait Owner: Sized + Send + Sync + 'static {
    /// Which rows of the table are theirs. A store finds, lists, counts and ends sessions of its own kind only.
    const KIND: &'static str = "user";

    /// The live sessions of `keys`, each with its owner: one query for all of them. Without a session whose principal
    /// may not be logged in any more (deleted, disabled), as if it did not exist.
    ///
    /// A change of what this reads must be announced, or it is noticed after five minutes; see the README.
    ///
    /// # Errors
    /// Those of the query. With [`Fault::Bug`] for a row that makes no sense, the other keys are read without it.
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault>;
}

/// For applications that read nothing about their principals.
impl Owner for () {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<()>>, Fault> {
        Ok(live::<Self>(conn, keys)?.into_iter().map(|row| row.owned_by(())).collect())
    }
}
