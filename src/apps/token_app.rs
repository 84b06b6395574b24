//! Finds the app for an access token.

use diesel::pg::PgConnection;

use crate::apps::caller::Caller;
use crate::apps::ids::{AppId, Slug};
use crate::apps::queries;
use crate::db::Fault;
use crate::identity::UserId;

/// The app with this slug, if a rule accepts tokens of the user. The caller must not tell the user why there is none: the
/// slugs of other apps are not public.
pub(crate) fn app_for_tokens_of(
    conn: &mut PgConnection,
    slug: &Slug,
    user: UserId,
) -> Result<Option<AppId>, Fault> {
    let Some(owner) = crate::identity::queries::active_user(conn, user)? else { return Ok(None) };
    let caller = Caller::with_token(user, &owner);
    let stored = queries::stored_apps(conn)?;
    let found = stored.apps.iter().find(|app| app.slug == *slug);
    Ok(found.filter(|app| caller.may_use_tokens_at(app)).map(|app| app.id))
}
