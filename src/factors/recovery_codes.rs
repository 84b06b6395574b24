//! Recovery codes, for a lost phone. Each has 128 bits, so a fast hash is enough to store them (NIST SP 800-63B-4
//! §3.1.2.2; ASVS 5.0 6.5.1 to 6.5.4).

use diesel::pg::PgConnection;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use crate::audit::{AuditAction, NewEvent};
use crate::db::{Failed, Fault, refuse};
use crate::factors::{Factors, base32, queries};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::notices::AddedFactor;
use crate::secret::{self, TokenHash};

const CODE_COUNT: usize = 10;
const CODE_BYTES: usize = 16;
/// A code without dashes: 128 bits, five to a letter.
const CODE_LETTERS: usize = 26;
/// Hashed with each code, together with the user id, so that the hash is of no use elsewhere.
const LABEL: &[u8] = b"latchkey recovery code";

/// Codes, which are shown once. No Debug, no Display.
pub struct RecoveryCodes(Vec<SecretString>);

#[derive(Debug, PartialEq, Eq)]
pub enum RecoveryCodesRefusal {
    /// The user has no second factor that recovery codes could replace.
    NoFactor,
    /// The set was replaced already: the form was sent twice.
    Replaced,
}

/// Codes that were just created.
pub struct NewRecoveryCodes {
    pub codes: RecoveryCodes,
    /// Whether earlier codes stopped working.
    pub replaced: bool,
}

impl RecoveryCodes {
    fn generate() -> Result<Self, getrandom::Error> {
        let code = || secret::random::<CODE_BYTES>().map(|bytes| base32::encode(&bytes).into());
        (0..CODE_COUNT).map(|_| code()).collect::<Result<_, _>>().map(Self)
    }

    /// In groups of four, for display.
    pub fn formatted(&self) -> Vec<String> {
        self.0.iter().map(|code| base32::group(code.expose_secret(), 4, "-")).collect()
    }

    /// The hash of a typed code; `None` if it does not have the length of a code.
    pub(crate) fn hash_of(user: UserId, typed: &str) -> Option<TokenHash> {
        let code = base32::normalize(typed);
        (code.len() == CODE_LETTERS).then(|| hash(user, &code))
    }

    fn hashes(&self, user: UserId) -> Vec<TokenHash> {
        self.0.iter().map(|code| hash(user, code.expose_secret())).collect()
    }
}

/// Identifies a set of codes by the time of its creation. Reveals nothing about the codes.
pub(crate) fn code_set_name(made_at: Option<OffsetDateTime>) -> String {
    made_at.map_or_else(|| "none".to_owned(), |at| (at.unix_timestamp_nanos() / 1000).to_string())
}

/// Label and id have fixed lengths, so different inputs give different bytes.
fn hash(user: UserId, code: &str) -> TokenHash {
    secret::sha256(&[LABEL, user.0.as_bytes(), code.as_bytes()].concat())
}

impl Factors {
    /// Creates a new set, which replaces the old one. `replaces`: the set that the form showed, see [`code_set_name`]. A
    /// reload of the page sends the form again, and must not replace codes that the user has saved.
    pub async fn create_recovery_codes(
        &self,
        live: LiveUser,
        replaces: Option<String>,
        client: Client,
    ) -> Result<NewRecoveryCodes, Failed<RecoveryCodesRefusal>> {
        let (factors, user) = (self.clone(), live.user_id());
        self.db
            .write_or_refuse(move |conn| {
                if !factors.lock_if_live(conn, &live)? || !queries::has_second_factor(conn, user)? {
                    return refuse(RecoveryCodesRefusal::NoFactor);
                }
                let before = queries::recovery_codes_made_at(conn, user)?;
                if replaces.is_some_and(|set| set != code_set_name(before)) {
                    return refuse(RecoveryCodesRefusal::Replaced);
                }
                let codes = factors.replace_recovery_codes(conn, user)?;
                NewEvent::by_owner(AuditAction::RecoveryCodesMade, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
                    factors.notify_factor_added(conn, &owner, AddedFactor::RecoveryCodes, &client)?;
                }
                Ok(NewRecoveryCodes { codes, replaced: before.is_some() })
            })
            .await
    }

    pub(crate) fn replace_recovery_codes(
        &self,
        conn: &mut PgConnection,
        user: UserId,
    ) -> Result<RecoveryCodes, Fault> {
        let codes = RecoveryCodes::generate().map_err(Fault::bug)?;
        queries::replace_recovery_codes(conn, user, &codes.hashes(user))?;
        Ok(codes)
    }

    /// `shown`, formatted for a file, if all of them are unused codes of the user. The file must not contain text from
    /// elsewhere.
    pub async fn recovery_codes_for_file(
        &self,
        live: &LiveUser,
        shown: &[&str],
    ) -> Result<Option<Vec<String>>, Fault> {
        let user = live.user_id();
        let Some(hashes) =
            shown.iter().map(|code| RecoveryCodes::hash_of(user, code)).collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        if hashes.is_empty() || hashes.len() > CODE_COUNT {
            return Ok(None);
        }
        let known = hashes.len();
        let own = self.db.read(move |conn| queries::count_recovery_codes(conn, user, &hashes)).await?;
        let formatted = || shown.iter().map(|code| base32::group(&base32::normalize(code), 4, "-")).collect();
        Ok((own == known).then(formatted))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_code_is_recognized_in_every_way_of_typing_it() {
        let codes = RecoveryCodes::generate().unwrap();
        let (ada, grace) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(codes.0.len(), CODE_COUNT);
        for (shown, hash) in codes.formatted().iter().zip(codes.hashes(ada)) {
            assert_eq!(shown.len(), CODE_LETTERS + 6);
            assert_eq!(RecoveryCodes::hash_of(ada, shown), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown.to_lowercase().replace('-', " ")), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown[1..]), None);
            // Only for this user, and only as a recovery code.
            assert_ne!(RecoveryCodes::hash_of(grace, shown), Some(hash));
            assert_ne!(secret::sha256(shown.replace('-', "").as_bytes()), hash);
        }
    }
}
