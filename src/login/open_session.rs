//! Open a session: the only code that does, for every way to log in.

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, LoginMethod, UserId};
use crate::login::counters::{HasOutcome, LoginOutcome};
use crate::login::known_devices::DeviceCookie;
use crate::login::{Login, queries};
use latchkey_sessions::{self as sessions, Key, SessionTx};

/// A session that was just opened.
pub struct OpenedSession {
    pub user: UserId,
    pub key: Key,
    pub remember: bool,
    pub device_cookie: DeviceCookie,
    /// The user had asked to delete the account; logging in cancelled that.
    pub deletion_cancelled: bool,
}

impl Login {
    /// Opens a session of `user`, who was verified with `factor`. The caller has locked the user's row and checked that
    /// the user may log in.
    pub(super) fn open_session(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        factor: LoginMethod,
        remember: bool,
        client: &Client,
    ) -> Result<OpenedSession, Fault> {
        let is_first_login = !queries::has_logged_in(tx, user)?;
        let deletion_cancelled = self.cleaner.cancel_deletion(tx, user, client)?;
        queries::record_login(tx, user)?;
        let device = self.remember_device(tx, user, client)?;
        let opened = sessions::NewSession {
            principal: user.principal(),
            remember,
            factor: factor.as_str().to_owned(),
            address: client.address.clone(),
            user_agent: client.user_agent.clone(),
            device: Some(device.hash),
        };
        let (key, handle, ended) = self.sessions.open_counting(tx, &opened)?;
        NewEvent::by_owner(AuditAction::LoggedIn, user, client).session(handle).write(tx)?;
        // A user who has just registered needs no notice about the first log-in.
        if device.is_new && !is_first_login {
            let ended_oldest = (ended > 0).then(|| self.sessions.policy().per_principal);
            self.notify_new_device(tx, user, (handle, device.hash), ended_oldest, client)?;
        }
        Ok(OpenedSession { user, key, remember, device_cookie: device.cookie, deletion_cancelled })
    }
}

impl HasOutcome for OpenedSession {
    fn outcome(&self) -> LoginOutcome {
        LoginOutcome::In
    }
}
