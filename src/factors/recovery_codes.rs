//! Recovery codes: for when the phone is lost. 128 bits each, so a plain hash is enough to keep them by (NIST SP
//! 800-63B-4 §3.1.2.2; ASVS 5.0 6.5.1 to 6.5.4).

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::factors::{Factors, base32, queries};
use crate::identity::{Answer, Client, LiveUser, UserId};
use crate::secret::{self, TokenHash};

const CODE_COUNT: usize = 10;
const CODE_BYTES: usize = 16;
/// A code without dashes: 128 bits, five to a letter.
const CODE_LETTERS: usize = 26;
/// What is hashed with each code, so that its hash is nobody else's and no other hash of ours.
const LABEL: &[u8] = b"latchkey recovery code";

/// Codes as they are shown, once. No Debug, no Display.
pub struct RecoveryCodes(Vec<String>);

#[derive(Debug, PartialEq, Eq)]
pub enum RecoveryCodesRefusal {
    /// Nothing is asked for after the password, so there is nothing they could stand in for.
    NoFactor,
    /// The codes that were to be replaced are replaced already: the same form was sent twice.
    Replaced,
}

/// Codes that were just made.
pub struct NewRecoveryCodes {
    pub codes: RecoveryCodes,
    /// Whether there were earlier codes, which no longer work.
    pub replaced: bool,
}

impl RecoveryCodes {
    fn generate() -> Result<Self, getrandom::Error> {
        let code = || secret::random::<CODE_BYTES>().map(|bytes| base32::encode(&bytes));
        (0..CODE_COUNT).map(|_| code()).collect::<Result<_, _>>().map(Self)
    }

    /// In groups, one string each.
    pub fn formatted(&self) -> Vec<String> {
        self.0.iter().map(|code| base32::group(code, 4, "-")).collect()
    }

    /// The hash of what was typed, if it has the form of a code at all.
    pub(crate) fn hash_of(user: UserId, typed: &str) -> Option<TokenHash> {
        let code = base32::normalize(typed);
        (code.len() == CODE_LETTERS).then(|| hash(user, &code))
    }

    fn hashes(&self, user: UserId) -> Vec<TokenHash> {
        self.0.iter().map(|code| hash(user, code)).collect()
    }
}

/// Names a set of codes by when it was made. Says nothing about the codes.
pub(crate) fn code_set_name(made_at: Option<OffsetDateTime>) -> String {
    made_at.map_or_else(|| "none".to_owned(), |at| (at.unix_timestamp_nanos() / 1000).to_string())
}

/// Label and id are of one length each, so no two inputs read the same.
fn hash(user: UserId, code: &str) -> TokenHash {
    secret::sha256(&[LABEL, user.0.as_bytes(), code.as_bytes()].concat())
}

impl Factors {
    /// A new set; from now on the old one opens nothing. `replaces` names the set that the form was about, if the form
    /// says: see [`code_set_name`]. A page that is loaded again sends its form again, and must not replace codes that were kept.
    pub async fn create_recovery_codes(
        &self,
        live: LiveUser,
        replaces: Option<String>,
        client: Client,
    ) -> Answer<NewRecoveryCodes, RecoveryCodesRefusal> {
        let (factors, user) = (self.clone(), live.owner.id);
        self.db
            .write(move |conn| {
                if !factors.lock_if_live(conn, &live)? || !queries::has_second_factor(conn, user)? {
                    return Ok(Err(RecoveryCodesRefusal::NoFactor));
                }
                let before = queries::recovery_codes_made_at(conn, user)?;
                if replaces.is_some_and(|set| set != code_set_name(before)) {
                    return Ok(Err(RecoveryCodesRefusal::Replaced));
                }
                let codes = factors.replace_recovery_codes(conn, user)?;
                NewEvent::by_owner(AuditAction::RecoveryCodesMade, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
                    factors.notify_factor_added(conn, &owner, "new recovery codes", &client)?;
                }
                Ok(Ok(NewRecoveryCodes { codes, replaced: before.is_some() }))
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

    /// `shown` normalize for a file, if every one of them is an unused code of theirs: we write nothing into a file of
    /// ours that somebody else made up.
    pub async fn recovery_codes_for_file(
        &self,
        live: &LiveUser,
        shown: &[&str],
    ) -> Result<Option<Vec<String>>, Fault> {
        let user = live.owner.id;
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
        let normalize = || shown.iter().map(|code| base32::group(&base32::normalize(code), 4, "-")).collect();
        Ok((own == known).then(normalize))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let codes = RecoveryCodes::generate().unwrap();
        let (ada, grace) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(codes.0.len(), CODE_COUNT);
        for (shown, hash) in codes.formatted().iter().zip(codes.hashes(ada)) {
            assert_eq!(shown.len(), CODE_LETTERS + 6);
            assert_eq!(RecoveryCodes::hash_of(ada, shown), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown.to_lowercase().replace('-', " ")), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown[1..]), None);
            // Of this person, and as a recovery code only.
            assert_ne!(RecoveryCodes::hash_of(grace, shown), Some(hash));
            assert_ne!(secret::sha256(shown.replace('-', "").as_bytes()), hash);
        }
    }
}
