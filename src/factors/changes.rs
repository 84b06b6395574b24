//! What every change of a user's factors has in common.

use diesel::pg::PgConnection;

use crate::db::Fault;
use crate::factors::{Factors, queries};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::notices::Notice;

impl Factors {
    /// Locks the user's row. `false` if the user was disabled or the session ended, for example by a reset, while the form
    /// arrived. Every change of the ways to log in calls this first.
    pub(crate) fn lock_if_live(&self, conn: &mut PgConnection, live: &LiveUser) -> Result<bool, Fault> {
        Ok(crate::identity::queries::lock_active(conn, live.user_id())?
            && self.sessions.is_live(conn, live.record.handle)?)
    }

    /// Deletes what is of no use any more after a factor was removed or the second step was turned off: recovery codes and
    /// pending log-ins without a second step, and the choice about passkeys without a passkey.
    pub(crate) fn clean_up_after_removal(&self, conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
        if !queries::has_passkey(conn, user)? {
            queries::clear_password_alone_choice(conn, user)?;
        }
        if !queries::has_second_factor(conn, user)? {
            queries::delete_recovery_codes(conn, user)?;
            queries::delete_pending_logins_of(conn, user)?;
        }
        Ok(())
    }

    /// Sends a notice, unless the user is disabled.
    pub(crate) fn notify_user(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        notice: &Notice<'_>,
        client: &Client,
    ) -> Result<(), Fault> {
        match crate::identity::queries::recipient(conn, user)? {
            Some(person) => self.notices.send_notice(conn, &person, notice, client),
            None => Ok(()),
        }
    }
}
