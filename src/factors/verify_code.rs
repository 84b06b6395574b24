//! Second factors together: proving one with a code, what somebody has, taking everything away.

use std::fmt;

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::factors::recovery_codes::{RecoveryCodes, code_set_name};
use crate::factors::totp::{MAX_TOTP_FAILURES, TotpCheck, digits};
use crate::factors::{Factors, queries};
use crate::identity::{Answer, Client, LiveUser, LoginMethod, UserId};
use crate::notices::Notice;
use crate::secret::{self, TokenHash};
use crate::throttle;
use crate::throttle::Wait;
use latchkey_sessions::Handle;

/// Mail warns when so many recovery codes are left.
const LOW_RECOVERY_CODES: usize = 3;

/// Where a code is typed: what its wrong recovery codes are counted by.
pub(crate) enum AttemptScope {
    PendingLogin(TokenHash),
    Session(Handle),
}

impl AttemptScope {
    fn name(&self) -> String {
        match self {
            Self::PendingLogin(key) => secret::encode(key),
            Self::Session(handle) => handle.to_string(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// Wrong, used already, or of another kind than they have.
    Wrong,
    /// Too many wrong codes of the app: only other ways are left.
    Locked,
    TooMany(Wait),
}

impl CodeRefusal {
    /// How long until anything is looked at.
    pub fn wait(&self) -> Option<Wait> {
        match self {
            Self::TooMany(wait) => Some(*wait),
            Self::Wrong | Self::Locked => None,
        }
    }
}

impl fmt::Display for CodeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => f.write_str("That code does not fit, or was used already. Enter the one your app shows now, or a recovery code."),
            Self::Locked => f.write_str("Too many wrong codes: your authenticator app is locked. Use a recovery code."),
            Self::TooMany(wait) => wait.fmt(f),
        }
    }
}

/// What somebody proves themselves with besides the password.
pub struct FactorStatus {
    pub totp: Option<TotpState>,
    pub passkey: bool,
    pub recovery_codes: usize,
    /// Names the set of recovery codes there is; see [`Factors::create_recovery_codes`].
    pub code_set: String,
    /// Whether the password alone is not enough.
    pub on: bool,
}

pub struct TotpState {
    pub since: OffsetDateTime,
    pub locked: bool,
}

impl Factors {
    pub async fn status(&self, user: UserId) -> Result<FactorStatus, Fault> {
        self.db.read(move |conn| factor_status(conn, user)).await
    }

    /// Whether a confirmation asks for a code besides the password (docs/decisions/second-factors.md).
    pub async fn confirmation_needs_code(&self, live: &LiveUser) -> Result<bool, Fault> {
        let user = live.owner.id;
        self.db.read(move |conn| queries::has_second_factor(conn, user)).await
    }

    /// Checks and uses up what was typed: six digits are a code of the app, everything else is a recovery code. The
    /// caller has checked the password, and locked the user's row.
    pub(crate) fn verify_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        place: &AttemptScope,
        client: &Client,
    ) -> Answer<LoginMethod, CodeRefusal> {
        match digits(typed) {
            Some(digits) => self.verify_totp(conn, user, &digits, client),
            None => self.verify_recovery_code(conn, user, typed, place, client),
        }
    }

    fn verify_totp(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        digits: &str,
        client: &Client,
    ) -> Answer<LoginMethod, CodeRefusal> {
        match self.check_totp_code(conn, user, digits)? {
            TotpCheck::Right => return Ok(Ok(LoginMethod::PasswordAndTotp)),
            // Not in the trail: whoever hammers would write it full.
            TotpCheck::NotChecked => return Ok(Err(CodeRefusal::Locked)),
            TotpCheck::UsedAlready => {
                NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client)
                    .detail("it was used already")
                    .write(conn)?;
            }
            TotpCheck::Wrong { failures } => {
                NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client).write(conn)?;
                if failures == MAX_TOTP_FAILURES {
                    NewEvent::unproven(AuditAction::TotpLocked, Some(user), client).write(conn)?;
                    self.notify_user(conn, user, &Notice::FactorLocked { failures }, client)?;
                    return Ok(Err(CodeRefusal::Locked));
                }
            }
        }
        Ok(Err(CodeRefusal::Wrong))
    }

    fn verify_recovery_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        place: &AttemptScope,
        client: &Client,
    ) -> Answer<LoginMethod, CodeRefusal> {
        // Nobody guesses 128 bits; this bounds what those who try make us write. Never by address or account: the
        // owner must not wait for what others do (docs/decisions/second-factors.md).
        if let Err(wait) = throttle::admit_recovery_code(conn, &place.name(), &self.throttle)? {
            return Ok(Err(CodeRefusal::TooMany(wait)));
        }
        let used = match RecoveryCodes::hash_of(user, typed) {
            Some(hash) => queries::use_recovery_code(conn, user, &hash)?,
            None => false,
        };
        if !used {
            NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client).write(conn)?;
            return Ok(Err(CodeRefusal::Wrong));
        }
        let left = queries::recovery_codes_left(conn, user)?;
        NewEvent::by_owner(AuditAction::RecoveryCodeUsed, user, client)
            .detail(&format!("{left} left"))
            .write(conn)?;
        if left <= LOW_RECOVERY_CODES {
            self.notify_user(conn, user, &Notice::RecoveryCodesLow { left }, client)?;
        }
        Ok(Ok(LoginMethod::PasswordAndRecoveryCode))
    }

    /// Locks the row of whoever acts, and says whether they still may: the session may have ended, with a reset for
    /// one, while their form arrived. For everything that changes ways to log in.
    pub(crate) fn lock_if_live(&self, conn: &mut PgConnection, live: &LiveUser) -> Result<bool, Fault> {
        Ok(crate::identity::queries::lock_active(conn, live.owner.id)?
            && self.sessions.is_live(conn, live.record.handle)?)
    }

    /// Recovery codes and waiting log-ins mean nothing without a second step, and the choice about passkeys nothing
    /// without one: the next first passkey asks anew. The caller has removed a factor, or turned the step off.
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

    /// Tells somebody, unless they are not to be written to.
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

pub(crate) fn factor_status(conn: &mut PgConnection, user: UserId) -> Result<FactorStatus, Fault> {
    let totp = queries::totp(conn, user)?.and_then(|row| {
        row.active_at.map(|since| TotpState { since, locked: row.failures >= MAX_TOTP_FAILURES })
    });
    Ok(FactorStatus {
        totp,
        passkey: queries::has_passkey(conn, user)?,
        recovery_codes: queries::recovery_codes_left(conn, user)?,
        code_set: code_set_name(queries::recovery_codes_made_at(conn, user)?),
        on: queries::has_second_factor(conn, user)?,
    })
}
