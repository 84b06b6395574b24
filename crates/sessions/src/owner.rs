//! The application's data about the owner of a session.

use diesel::pg::PgConnection;
use latchkey_db::Fault;

use super::{KeyHash, LiveSession, live};

/// The data that the application reads about a principal together with the session. It is cached with the session.
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
    /// The kind of the rows that belong to this owner. A store finds, lists, counts and ends sessions of its own kind
    /// only.
    const KIND: &'static str = "user";

    /// The live sessions of `keys`, each with its owner: one query for all of them. A session whose principal may not
    /// be logged in any more (deleted, disabled) is left out, as if it did not exist.
    ///
    /// A change of this data must be announced; otherwise it is noticed after five minutes. See the README.
    ///
    /// # Errors
    /// Those of the query. After [`Fault::Bug`] for an invalid row, the other keys are read without it.
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault>;
}

/// For applications that read no data about their principals.
impl Owner for () {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<()>>, Fault> {
        Ok(live::<Self>(conn, keys)?.into_iter().map(|row| row.owned_by(())).collect())
    }
}
