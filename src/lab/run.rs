//! One run: how its subject and its tokens are set up, which steps were taken, which credentials its browser holds.

use time::OffsetDateTime;
use uuid::Uuid;

use super::jwt::{Algorithm, JwtKey, Verifier};
use super::{DenyList, HistoryEntry, Service, SubjectRole};
use crate::db::time::Moment;
use crate::secret::Secret;
use latchkey_sessions::Principal;

/// The issuer that tokens name.
const ISSUER: &str = "latchkey-lab";

/// How many signing keys are accepted at most: each is prepared at each check.
const MAX_ACCEPTED_KEYS: i32 = 5;

/// A run, as it was read from the database.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: Uuid,
    pub role: SubjectRole,
    pub disabled_at: Option<Moment>,
    pub algorithm: Algorithm,
    pub signing_key: i32,
    pub oldest_key: i32,
    pub deny_list: DenyList,
    pub split: bool,
    /// By how many seconds the clock that checks this run's tokens is ahead.
    pub ahead: i64,
    pub history: Vec<HistoryEntry>,
    pub step_count: i32,
    pub expires_at: Moment,
    /// The database's time when the run was read.
    pub now: Moment,
}

/// The lab credentials that one browser holds.
#[derive(Clone, Default)]
pub struct CredentialSet {
    pub session: Option<String>,
    pub access: Option<String>,
    pub refresh: Option<String>,
}

/// The credentials of a run: the visitor's, and the thief's copy of them.
#[derive(Clone, Default)]
pub struct Credentials {
    pub browser: CredentialSet,
    pub copy: Option<CredentialSet>,
}

impl CredentialSet {
    pub fn is_empty(&self) -> bool {
        self.session.is_none() && self.access.is_none() && self.refresh.is_none()
    }

    /// All three as one text, for the cookie that carries the copy.
    pub fn packed(&self) -> String {
        [&self.session, &self.access, &self.refresh].map(|part| part.as_deref().unwrap_or_default()).join("~")
    }

    pub fn unpack(text: &str) -> Option<Self> {
        let mut parts = text.split('~').map(|part| (!part.is_empty()).then(|| part.to_owned()));
        let set = Self { session: parts.next()?, access: parts.next()?, refresh: parts.next()? };
        parts.next().is_none().then_some(set)
    }
}

impl Run {
    pub fn principal(&self) -> Principal {
        Principal(self.id)
    }

    /// The services that exist in this run.
    pub fn services(&self) -> &'static [Service] {
        if self.split { &[Service::Shop, Service::Desk] } else { &[Service::Shop] }
    }

    /// The time at which this run's tokens are checked, as Unix time in seconds.
    pub fn token_time(&self) -> i64 {
        OffsetDateTime::from(self.now).unix_timestamp() + self.ahead
    }

    /// The actual time that corresponds to a `token_time`.
    pub fn actual_time(&self, token_time: i64) -> Moment {
        let at = OffsetDateTime::from_unix_timestamp(token_time.saturating_sub(self.ahead));
        Moment::from(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    pub(super) fn issuer(&self) -> &'static str {
        ISSUER
    }

    /// The audience of a token issued now.
    pub(super) fn audience(&self) -> Vec<String> {
        self.services().iter().map(|service| service.name().to_owned()).collect()
    }

    /// Starts to sign with a new key, and stops accepting the older ones unless `keep_old`.
    pub(super) fn rotate_key(&mut self, keep_old: bool) {
        // If a newer key is in use already, dropping the old ones is all that is left to do.
        if keep_old || self.oldest_key == self.signing_key {
            self.signing_key += 1;
        }
        if !keep_old {
            self.oldest_key = self.signing_key;
        }
        self.oldest_key = self.oldest_key.max(self.signing_key - (MAX_ACCEPTED_KEYS - 1));
    }

    /// A signing key, derived from the secret: it is not stored, survives a restart and is the same on every instance.
    pub(super) fn signing_key(&self, secret: &Secret, generation: i32) -> JwtKey {
        let name = self.algorithm.name();
        let seed = secret.mac(
            "lab-signing-key",
            &[self.id.as_bytes(), name.as_bytes(), generation.to_string().as_bytes()],
        );
        JwtKey::new(self.algorithm, &format!("lab-{}-{generation}", name.to_lowercase()), &seed)
    }

    /// The key with which `service` checks signatures. The desk gets the public half of a key pair; a shared secret
    /// has no public half.
    pub(super) fn verification_key(&self, secret: &Secret, service: Service, generation: i32) -> JwtKey {
        let key = self.signing_key(secret, generation);
        match (service, self.algorithm) {
            (Service::Desk, Algorithm::EdDsa) => key.public(),
            _ => key,
        }
    }

    pub(super) fn verifier(&self, secret: &Secret, service: Service) -> Verifier {
        let keys = (self.oldest_key..=self.signing_key)
            .map(|generation| self.verification_key(secret, service, generation))
            .collect();
        Verifier::new(self.algorithm, keys, self.issuer(), service.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_set_of_credentials_is_unpacked_unchanged() {
        let set = CredentialSet { session: Some("a".into()), access: None, refresh: Some("c.d".into()) };
        let back = CredentialSet::unpack(&set.packed()).unwrap();
        assert_eq!(
            (back.session.as_deref(), back.access, back.refresh.as_deref()),
            (Some("a"), None, Some("c.d"))
        );
        for other in ["", "a", "a~b", "a~b~c~d"] {
            assert!(CredentialSet::unpack(other).is_none(), "{other}");
        }
    }
}
