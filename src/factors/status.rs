//! Which second factors a user has.

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::db::Fault;
use crate::factors::recovery_codes::code_set_name;
use crate::factors::totp::MAX_TOTP_FAILURES;
use crate::factors::{Factors, queries};
use crate::identity::{LiveUser, UserId, UserSession as _};

/// The second factors of a user.
pub struct FactorStatus {
    pub totp: Option<TotpState>,
    pub passkey: bool,
    pub recovery_codes: usize,
    /// Identifies the current set of recovery codes; see [`Factors::create_recovery_codes`].
    pub code_set: String,
    /// Whether a log-in with the password needs a second factor.
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

    /// Whether a confirmation asks for a code in addition to the password (docs/decisions/second-factors.md).
    pub async fn confirmation_needs_code(&self, live: &LiveUser) -> Result<bool, Fault> {
        let user = live.user_id();
        self.db.read(move |conn| queries::has_second_factor(conn, user)).await
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
