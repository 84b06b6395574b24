//! Verify a code: of the authenticator app, or a recovery code.

use diesel::pg::PgConnection;

use crate::audit::{AuditAction, DetailReason, EventDetail, NewEvent};
use crate::db::{Failed, Refusable as _, refuse};
use crate::factors::recovery_codes::RecoveryCodes;
use crate::factors::totp::{MAX_TOTP_FAILURES, TotpCheck, digits};
use crate::factors::{Factors, queries};
use crate::identity::{Client, LoginMethod, UserId};
use crate::notices::Notice;
use crate::secret::{self, TokenHash};
use crate::throttle::{self, RetryAfter};
use latchkey_sessions::Handle;

/// A notice is sent when this many recovery codes are left.
const LOW_RECOVERY_CODES: usize = 3;

/// What wrong recovery codes are counted by.
pub(crate) enum AttemptScope {
    PendingLogin(TokenHash),
    Session(Handle),
}

impl AttemptScope {
    fn key(&self) -> String {
        match self {
            Self::PendingLogin(key) => secret::encode(key),
            Self::Session(handle) => handle.to_string(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// Wrong, used already, or of a kind that the user does not have.
    Wrong,
    /// Too many wrong codes: the authenticator app is locked, other factors are not.
    Locked,
    TooMany(RetryAfter),
}

impl CodeRefusal {
    /// How long to wait before the next attempt.
    pub fn wait(&self) -> Option<RetryAfter> {
        match self {
            Self::TooMany(wait) => Some(*wait),
            Self::Wrong | Self::Locked => None,
        }
    }
}

impl Factors {
    /// Verifies `typed`, and consumes it: six digits are a code of the app, everything else is a recovery code. The caller
    /// has verified the password and locked the user's row.
    pub(crate) fn verify_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        scope: &AttemptScope,
        client: &Client,
    ) -> Result<LoginMethod, Failed<CodeRefusal>> {
        match digits(typed) {
            Some(digits) => self.verify_totp(conn, user, &digits, client),
            None => self.verify_recovery_code(conn, user, typed, scope, client),
        }
    }

    fn verify_totp(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        digits: &str,
        client: &Client,
    ) -> Result<LoginMethod, Failed<CodeRefusal>> {
        match self.check_totp_code(conn, user, digits)? {
            TotpCheck::Right => return Ok(LoginMethod::PasswordAndTotp),
            // No event: an attacker could fill the audit trail.
            TotpCheck::NotChecked => return refuse(CodeRefusal::Locked),
            TotpCheck::UsedAlready => {
                NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client)
                    .reason(DetailReason::CodeReused)
                    .write(conn)?;
            }
            TotpCheck::Wrong { failures } => {
                NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client).write(conn)?;
                if failures == MAX_TOTP_FAILURES {
                    NewEvent::unproven(AuditAction::TotpLocked, Some(user), client).write(conn)?;
                    self.notify_user(conn, user, &Notice::FactorLocked { failures }, client)?;
                    return refuse(CodeRefusal::Locked);
                }
            }
        }
        refuse(CodeRefusal::Wrong)
    }

    fn verify_recovery_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        scope: &AttemptScope,
        client: &Client,
    ) -> Result<LoginMethod, Failed<CodeRefusal>> {
        // 128 bits cannot be guessed; this bounds the writes that attempts cause. It counts neither by address nor by
        // account: attackers must not delay the owner (docs/decisions/second-factors.md).
        throttle::admit_recovery_code(conn, &scope.key(), &self.throttle)
            .map_refusal(CodeRefusal::TooMany)?;
        let used = match RecoveryCodes::hash_of(user, typed) {
            Some(hash) => queries::use_recovery_code(conn, user, &hash)?,
            None => false,
        };
        if !used {
            NewEvent::unproven(AuditAction::SecondFactorRefused, Some(user), client).write(conn)?;
            return refuse(CodeRefusal::Wrong);
        }
        let left = queries::recovery_codes_left(conn, user)?;
        NewEvent::by_owner(AuditAction::RecoveryCodeUsed, user, client)
            .data(&EventDetail::RecoveryCodes { codes_left: left })
            .write(conn)?;
        if left <= LOW_RECOVERY_CODES {
            self.notify_user(conn, user, &Notice::RecoveryCodesLow { left }, client)?;
        }
        Ok(LoginMethod::PasswordAndRecoveryCode)
    }
}
