//! Entries of sessions into apps.

use std::time::Duration;

use diesel::pg::PgConnection;
use diesel::prelude::*;
use latchkey_sessions::Handle;
use latchkey_sessions::schema::sessions;
use uuid::Uuid;

use crate::apps::handoff_rows::{NewHandoff, StoredHandoff};
use crate::config::AppDefaults;
use crate::db::Fault;
use crate::db::schema::{app_entries, apps};
use crate::db::time::{interval, now};
use crate::identity::UserId;

/// Deletes the oldest entries of this session, so that there is room for one more.
pub(in crate::apps) fn drop_oldest(conn: &mut PgConnection, session: Handle) -> Result<(), Fault> {
    // An entry that another tab creates at the same time is newer than all of these.
    let oldest = app_entries::table
        .filter(app_entries::session.eq(session.0))
        .order(app_entries::created_at.desc())
        .offset(AppDefaults::OPEN_ENTRIES - 1)
        .select(app_entries::code_hash)
        .load::<Vec<u8>>(conn)?;
    if !oldest.is_empty() {
        diesel::delete(app_entries::table).filter(app_entries::code_hash.eq_any(oldest)).execute(conn)?;
    }
    Ok(())
}

pub(in crate::apps) fn insert(
    conn: &mut PgConnection,
    code_hash: &[u8],
    entry: &NewHandoff,
    lives: Duration,
) -> Result<(), Fault> {
    diesel::insert_into(app_entries::table)
        .values((
            app_entries::code_hash.eq(code_hash),
            app_entries::session.eq(entry.session.0),
            app_entries::app.eq(entry.app.0),
            app_entries::origin.eq(&entry.origin),
            app_entries::state_hash.eq(&entry.state_hash[..]),
            app_entries::path.eq(&entry.path),
            app_entries::proved_at.eq(entry.proved_at),
            app_entries::expires_at.eq(now() + interval(lives)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Removes the entry and returns it.
pub(in crate::apps) fn take(
    conn: &mut PgConnection,
    code_hash: &[u8],
) -> Result<Option<StoredHandoff>, Fault> {
    let taken = diesel::delete(app_entries::table.find(code_hash))
        .returning((
            app_entries::session,
            app_entries::app,
            app_entries::origin,
            app_entries::state_hash,
            app_entries::path,
            app_entries::proved_at,
            app_entries::expires_at.gt(now()),
        ))
        .get_result(conn)
        .optional()?;
    Ok(taken)
}

/// Whether the app exists and is enabled. It stays so until the end of the transaction: disabling an app ends its keys,
/// and no key may be created after that.
pub(in crate::apps) fn lock_enabled(conn: &mut PgConnection, app: Uuid) -> Result<bool, Fault> {
    let found: Option<Uuid> =
        apps::table.find(app).filter(apps::enabled).select(apps::id).for_share().first(conn).optional()?;
    Ok(found.is_some())
}

/// The user of a session, and whether it outlives the browser.
pub(in crate::apps) fn owner(
    conn: &mut PgConnection,
    session: Handle,
) -> Result<Option<(UserId, bool)>, Fault> {
    let found: Option<(Uuid, bool)> = sessions::table
        .filter(sessions::handle.eq(session.0))
        .select((sessions::principal, sessions::remember))
        .first(conn)
        .optional()?;
    Ok(found.map(|(user, remember)| (UserId(user), remember)))
}
