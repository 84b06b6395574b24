//! Why a row is refused, as the report says it.

use crate::identity::InvalidName;
use crate::passwords::{CostBound, LegacyHashError};
use crate::registration::ImportError;

pub(super) fn reason(error: ImportError) -> String {
    let reason = match error {
        ImportError::Address => "email is not an address that mail can be sent to",
        ImportError::Name(InvalidName::Empty) => "name is empty",
        ImportError::Name(InvalidName::TooLong { max }) => {
            return format!("name is too long: it may have {max} characters");
        }
        ImportError::Name(InvalidName::Link) => "name contains “://”, “www.” or “@”",
        ImportError::Name(InvalidName::Unprintable) => "name contains unprintable characters",
        ImportError::Hash(LegacyHashError::Unknown) => "the format of the password hash is not supported",
        ImportError::Hash(LegacyHashError::Broken) => "the password hash is malformed",
        ImportError::Hash(LegacyHashError::TooCostly(bound)) => {
            return format!(
                "the password hash takes longer than a log-in may: {}; import this user without the hash, \
                 and they can set a password with a reset link",
                accepted(bound)
            );
        }
        ImportError::Role => "role is neither member nor admin",
        ImportError::Admin => "role is admin, which needs --allow-admins",
        ImportError::CreatedAt => {
            "created_at is not a past time with an offset, such as 2024-05-17T09:30:00Z"
        }
        ImportError::Nul => "the row contains a NUL character",
    };
    reason.to_owned()
}

fn accepted(bound: CostBound) -> String {
    match bound {
        CostBound::Argon2 { mib, lanes } => {
            format!("Argon2 is accepted up to {mib} MiB of memory times passes, in at most {lanes} lanes")
        }
        CostBound::Bcrypt { cost } => format!("bcrypt is accepted up to cost {cost}"),
        CostBound::Scrypt { mib, p } => {
            format!("scrypt is accepted up to {mib} MiB of memory times p, p at most {p}")
        }
        CostBound::Pbkdf2 { iterations } => {
            format!("PBKDF2 with this digest is accepted up to {iterations} iterations")
        }
    }
}
