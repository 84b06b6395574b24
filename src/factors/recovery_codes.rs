//! Recovery codes: for when the phone is lost. 128 bits each, so a plain hash is enough to keep them by (NIST SP
//! 800-63B-4 §3.1.2.2; ASVS 5.0 6.5.1 to 6.5.4).

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::factors::{Factors, base32, queries};
use crate::identity::{Answer, Client, LiveUser, UserId};
use crate::secret::{self, TokenHash};

const HOW_MANY: usize = 10;
const BYTES: usize = 16;
/// A code without dashes: 128 bits, five to a letter.
const LETTERS: usize = 26;
/// What is hashed with each code, so that its hash is nobody else's and no other hash of ours.
const LABEL: &[u8] = b"latchkey recovery code";

/// Codes as they are shown, once. No Debug, no Display.
pub struct RecoveryCodes(Vec<String>);

#[derive(Debug, PartialEq, Eq)]
pub enum CodesRefusal {
    /// Nothing is asked for after the password, so there is nothing they could stand in for.
    NoFactor,
    /// The codes that were to be replaced are replaced already: the same form was sent twice.
    Replaced,
}

/// Codes that were just made.
pub struct NewCodes {
    pub codes: RecoveryCodes,
    /// Whether there were earlier codes, which no longer work.
    pub replaced: bool,
}

impl RecoveryCodes {
    fn generate() -> Result<Self, getrandom::Error> {
        let code = || secret::random::<BYTES>().map(|bytes| base32::encode(&bytes));
        (0..HOW_MANY).map(|_| code()).collect::<Result<_, _>>().map(Self)
    }

    /// In groups, one string each.
    pub fn shown(&self) -> Vec<String> {
        self.0.iter().map(|code| base32::grouped(code, 4, "-")).collect()
    }

    /// The hash of what was typed, if it has the form of a code at all.
    pub(crate) fn hash_of(user: UserId, typed: &str) -> Option<TokenHash> {
        let code = base32::tidied(typed);
        (code.len() == LETTERS).then(|| hash(user, &code))
    }

    fn hashes(&self, user: UserId) -> Vec<TokenHash> {
        self.0.iter().map(|code| hash(user, code)).collect()
    }
}

/// Names a set of codes by when it was made. Says nothing about the codes.
pub(crate) fn set_name(made_at: Option<OffsetDateTime>) -> String {
    made_at.map_or_else(|| "none".to_owned(), |at| (at.unix_timestamp_nanos() / 1000).to_string())
}

/// Label and id are of one length each, so no two inputs read the same.
fn hash(user: UserId, code: &str) -> TokenHash {
    secret::sha256(&[LABEL, user.0.as_bytes(), code.as_bytes()].concat())
}

impl Factors {
    /// A new set; from now on the old one opens nothing. `replaces` names the set that the form was about, if the form
    /// says: see [`set_name`]. A page that is loaded again sends its form again, and must not replace codes that were kept.
    pub async fn make_recovery_codes(
        &self,
        live: LiveUser,
        replaces: Option<String>,
        client: Client,
    ) -> Answer<NewCodes, CodesRefusal> {
        let (factors, user) = (self.clone(), live.owner.id);
        self.db
            .write(move |conn| {
                if !factors.may_still(conn, &live)? || !queries::has_second_factor(conn, user)? {
                    return Ok(Err(CodesRefusal::NoFactor));
                }
                let before = queries::recovery_codes_made_at(conn, user)?;
                if replaces.is_some_and(|set| set != set_name(before)) {
                    return Ok(Err(CodesRefusal::Replaced));
                }
                let codes = factors.replace_recovery_codes(conn, user)?;
                NewEvent::by_owner(AuditAction::RecoveryCodesMade, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                if let Some(owner) = crate::identity::queries::recipient(conn, user)? {
                    factors.tell_factor_added(conn, &owner, "new recovery codes", &client)?;
                }
                Ok(Ok(NewCodes { codes, replaced: before.is_some() }))
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

    /// `shown` tidied for a file, if every one of them is an unused code of theirs: we write nothing into a file of
    /// ours that somebody else made up.
    pub async fn own_recovery_codes(
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
        if hashes.is_empty() || hashes.len() > HOW_MANY {
            return Ok(None);
        }
        let known = hashes.len();
        let own = self.db.read(move |conn| queries::recovery_codes_among(conn, user, &hashes)).await?;
        let tidied = || shown.iter().map(|code| base32::grouped(&base32::tidied(code), 4, "-")).collect();
        Ok((own == known).then(tidied))
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
        assert_eq!(codes.0.len(), HOW_MANY);
        for (shown, hash) in codes.shown().iter().zip(codes.hashes(ada)) {
            assert_eq!(shown.len(), LETTERS + 6);
            assert_eq!(RecoveryCodes::hash_of(ada, shown), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown.to_lowercase().replace('-', " ")), Some(hash));
            assert_eq!(RecoveryCodes::hash_of(ada, &shown[1..]), None);
            // Of this person, and as a recovery code only.
            assert_ne!(RecoveryCodes::hash_of(grace, shown), Some(hash));
            assert_ne!(secret::sha256(shown.replace('-', "").as_bytes()), hash);
        }
    }
}
