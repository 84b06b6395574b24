//! Sentences about a state that a page shows.

use latchkey_sessions::EndReason;

use super::phrase::Phrase;
use crate::factors::FactorStatus;

/// Why a browser that had a session is asked to log in.
pub fn ended_session(how: EndReason) -> Phrase {
    match how {
        EndReason::Revoked => Phrase::new(
            "session-revoked",
            "Your session in this browser was ended: on another device, by a new password, with a link from an email, or by an administrator.",
        ),
        EndReason::Expired => Phrase::new("session-expired", "Your session in this browser has expired."),
    }
}

/// What a recovery code replaces.
pub fn codes_for(factors: &FactorStatus) -> Phrase {
    match (factors.totp.is_some(), factors.passkey) {
        (true, true) => Phrase::new("codes-for-totp-or-passkey", "your authenticator app or a passkey"),
        (true, false) => Phrase::new("codes-for-totp", "your authenticator app"),
        (false, _) => Phrase::new("codes-for-passkey", "your passkey"),
    }
}

/// Whether a user's password is followed by a second step, for administrators.
pub fn second_step(factors: &FactorStatus) -> Phrase {
    match (factors.on, &factors.totp) {
        (false, _) if factors.passkey => {
            Phrase::new("step-off", "Off: the password alone logs them in, and so does a passkey")
        }
        (false, _) => Phrase::new("step-none", "Off"),
        (true, Some(totp)) if totp.locked => {
            Phrase::new("totp-locked", "On, but the authenticator app is locked")
        }
        (true, _) => Phrase::new("step-on", "On"),
    }
}
