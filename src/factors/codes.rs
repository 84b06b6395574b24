//! Second factors together: proving one with a code, what somebody has, taking everything away.

use std::fmt;

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{Act, Entry};
use crate::db::Fault;
use crate::factors::recovery_codes::{RecoveryCodes, set_name};
use crate::factors::totp::{Guess, MOST_GUESSES, digits};
use crate::factors::{Factors, queries};
use crate::identity::{Answer, Client, Factor, LiveUser, UserId};
use crate::notices::Notice;
use crate::secret::{self, TokenHash};
use crate::throttle;
use crate::throttle::Wait;
use latchkey_sessions::Handle;

/// Mail warns when so many recovery codes are left.
const FEW: usize = 3;

/// Where a code is typed: what its wrong recovery codes are counted by.
pub(crate) enum Place {
    Pending(TokenHash),
    Session(Handle),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::Pending(key) => secret::encode(key),
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
    /// Names the set of recovery codes there is; see [`Factors::make_recovery_codes`].
    pub code_set: String,
    /// Whether the password alone is not enough.
    pub on: bool,
}

pub struct TotpState {
    pub since: OffsetDateTime,
    pub locked: bool,
}

impl Factors {
    pub async fn factors(&self, user: UserId) -> Result<FactorStatus, Fault> {
        self.db.read(move |conn| factors(conn, user)).await
    }

    /// Whether a confirmation asks for a code besides the password (docs/decisions/second-factors.md).
    pub async fn confirms_with_code(&self, live: &LiveUser) -> Result<bool, Fault> {
        let user = live.owner.id;
        self.db.read(move |conn| queries::has_second_factor(conn, user)).await
    }

    /// Checks and uses up what was typed: six digits are a code of the app, everything else is a recovery code. The
    /// caller has checked the password, and locked the user's row.
    pub(crate) fn prove_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        place: &Place,
        client: &Client,
    ) -> Answer<Factor, CodeRefusal> {
        match digits(typed) {
            Some(digits) => self.prove_totp(conn, user, &digits, client),
            None => self.prove_recovery_code(conn, user, typed, place, client),
        }
    }

    fn prove_totp(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        digits: &str,
        client: &Client,
    ) -> Answer<Factor, CodeRefusal> {
        match self.guess_totp(conn, user, digits)? {
            Guess::Right => return Ok(Ok(Factor::PasswordAndTotp)),
            // Not in the trail: whoever hammers would write it full.
            Guess::NotLookedAt => return Ok(Err(CodeRefusal::Locked)),
            Guess::UsedAlready => {
                Entry::nobody(Act::SecondFactorRefused, Some(user), client)
                    .detail("it was used already")
                    .write(conn)?;
            }
            Guess::Wrong { failures } => {
                Entry::nobody(Act::SecondFactorRefused, Some(user), client).write(conn)?;
                if failures == MOST_GUESSES {
                    Entry::nobody(Act::TotpLocked, Some(user), client).write(conn)?;
                    self.tell_user(conn, user, &Notice::FactorLocked { failures }, client)?;
                    return Ok(Err(CodeRefusal::Locked));
                }
            }
        }
        Ok(Err(CodeRefusal::Wrong))
    }

    fn prove_recovery_code(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        typed: &str,
        place: &Place,
        client: &Client,
    ) -> Answer<Factor, CodeRefusal> {
        // Nobody guesses 128 bits; this bounds what those who try make us write. Never by address or account: the
        // owner must not wait for what others do (docs/decisions/second-factors.md).
        if let Err(wait) = throttle::may_try_recovery_code(conn, &place.name(), &self.throttle)? {
            return Ok(Err(CodeRefusal::TooMany(wait)));
        }
        let used = match RecoveryCodes::hash_of(user, typed) {
            Some(hash) => queries::use_recovery_code(conn, user, &hash)?,
            None => false,
        };
        if !used {
            Entry::nobody(Act::SecondFactorRefused, Some(user), client).write(conn)?;
            return Ok(Err(CodeRefusal::Wrong));
        }
        let left = queries::recovery_codes_left(conn, user)?;
        Entry::own(Act::RecoveryCodeUsed, user, client).detail(&format!("{left} left")).write(conn)?;
        if left <= FEW {
            self.tell_user(conn, user, &Notice::RecoveryCodesLow { left }, client)?;
        }
        Ok(Ok(Factor::PasswordAndRecoveryCode))
    }

    /// Locks the row of whoever acts, and says whether they still may: the session may have ended, with a reset for
    /// one, while their form arrived. For everything that changes ways to log in.
    pub(crate) fn may_still(&self, conn: &mut PgConnection, live: &LiveUser) -> Result<bool, Fault> {
        Ok(crate::identity::queries::lock_active(conn, live.owner.id)?
            && self.sessions.is_live(conn, live.record.handle)?)
    }

    /// Recovery codes and waiting log-ins mean nothing without a second step, and the choice about passkeys nothing
    /// without one: the next first passkey asks anew. The caller has removed a factor, or turned the step off.
    pub(crate) fn after_removal(&self, conn: &mut PgConnection, user: UserId) -> Result<(), Fault> {
        if !queries::has_passkey(conn, user)? {
            queries::require_passkey_step(conn, user)?;
        }
        if !queries::has_second_factor(conn, user)? {
            queries::delete_recovery_codes(conn, user)?;
            queries::delete_pending_of(conn, user)?;
        }
        Ok(())
    }

    /// Tells somebody, unless they are not to be written to.
    pub(crate) fn tell_user(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        notice: &Notice<'_>,
        client: &Client,
    ) -> Result<(), Fault> {
        match crate::identity::queries::addressee(conn, user)? {
            Some(person) => self.notices.tell(conn, &person, notice, client),
            None => Ok(()),
        }
    }
}

pub(crate) fn factors(conn: &mut PgConnection, user: UserId) -> Result<FactorStatus, Fault> {
    let totp = queries::totp(conn, user)?
        .and_then(|row| row.active_at.map(|since| TotpState { since, locked: row.failures >= MOST_GUESSES }));
    Ok(FactorStatus {
        totp,
        passkey: queries::has_passkey(conn, user)?,
        recovery_codes: queries::recovery_codes_left(conn, user)?,
        code_set: set_name(queries::recovery_codes_made_at(conn, user)?),
        on: queries::has_second_factor(conn, user)?,
    })
}
