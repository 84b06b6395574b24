//! The user's choice whether a passkey is required after the password (docs/decisions/passkeys.md).

use diesel::pg::PgConnection;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::factors::recovery_codes::RecoveryCodes;
use crate::factors::{Factors, queries};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::notices::{AddedFactor, Notice};

/// What happens after a correct password if the user has a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyStep {
    /// The passkey is required.
    Required,
    /// The password alone logs in.
    Off,
}

impl PasskeyStep {
    /// The value in forms.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "required" => Some(Self::Required),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// The result of a change.
pub enum PasskeyStepChange {
    /// A passkey is required from now on; with new recovery codes if the user had none.
    Required(Option<RecoveryCodes>),
    Off,
    /// The choice was the same before, the user has no passkey, or an authenticator app requires a second step anyway.
    Unchanged,
}

impl Factors {
    /// Changes the choice, writes an event, and sends a notice with a link that undoes it. Turning the step off deletes the
    /// recovery codes, as the removal of the last factor does.
    pub async fn set_passkey_step(
        &self,
        live: LiveUser,
        step: PasskeyStep,
        client: Client,
    ) -> Result<PasskeyStepChange, Fault> {
        let factors = self.clone();
        self.db
            .write(move |conn| {
                let user = live.user_id();
                if !factors.lock_if_live(conn, &live)? || !queries::has_passkey(conn, user)? {
                    return Ok(PasskeyStepChange::Unchanged);
                }
                match step {
                    PasskeyStep::Required => factors.require_step(conn, &live, &client),
                    PasskeyStep::Off => factors.waive_step(conn, &live, &client),
                }
            })
            .await
    }

    fn require_step(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        client: &Client,
    ) -> Result<PasskeyStepChange, Fault> {
        let user = live.user_id();
        if !queries::end_password_alone(conn, user)? {
            return Ok(PasskeyStepChange::Unchanged);
        }
        NewEvent::by_owner(AuditAction::PasskeyStepOn, user, client)
            .session(live.record.handle)
            .write(conn)?;
        if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
            self.notify_factor_added(conn, &owner, AddedFactor::PasskeyStep, client)?;
        }
        let codes = match queries::recovery_codes_left(conn, user)? {
            0 => Some(self.replace_recovery_codes(conn, user)?),
            _ => None,
        };
        Ok(PasskeyStepChange::Required(codes))
    }

    fn waive_step(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        client: &Client,
    ) -> Result<PasskeyStepChange, Fault> {
        let user = live.user_id();
        if self.has_app(conn, user)? || !queries::allow_password_alone(conn, user)? {
            return Ok(PasskeyStepChange::Unchanged);
        }
        self.clean_up_after_removal(conn, user)?;
        NewEvent::by_owner(AuditAction::PasskeyStepOff, user, client)
            .session(live.record.handle)
            .write(conn)?;
        if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
            let undo = self.undo_factor_link(conn, &owner)?;
            self.notices.send_notice(conn, &owner, &Notice::PasskeyStepOff { undo }, client)?;
        }
        Ok(PasskeyStepChange::Off)
    }

    /// Whether an authenticator app is in use. It requires a second step, regardless of the choice.
    pub(super) fn has_app(&self, conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
        Ok(queries::totp(conn, user)?.is_some_and(|totp| totp.active_at.is_some()))
    }
}
