//! How a file of apps finds the users it names.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::apps::app_refusal::AppRefusal;
use crate::db::Failed;
use crate::identity::{Email, UserId};

/// Returns the id of a user who is written as an address or an id; `None` if there is no such user.
pub(super) type UserLookup<'a> = dyn FnMut(&str) -> Result<Option<UserId>, Failed<AppRefusal>> + 'a;

/// Finds a user by email address or id.
pub(super) fn find_listed(conn: &mut PgConnection, text: &str) -> Result<Option<UserId>, Failed<AppRefusal>> {
    // An export writes a deleted user as an id.
    if let Ok(id) = text.parse::<Uuid>() {
        return Ok(Some(UserId(id)));
    }
    let Ok(email) = Email::parse(text) else { return Ok(None) };
    Ok(crate::identity::queries::user_id(conn, email.key())?)
}
