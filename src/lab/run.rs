//! One run: how its subject and its token side are set up, what was done in it, what its browser holds.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Role;
use crate::db::time::Moment;
use crate::jwt::{Algorithm, Key, Verifier};
use crate::secret::Secret;
use latchkey_sessions::Principal;

/// Who issues the tokens, as they name it.
const ISSUER: &str = "latchkey-lab";

/// The services a credential is shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The one that logs people in.
    Shop,
    /// The one next door, once there are two. It trusts what the shop has issued.
    Desk,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Desk => "desk",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "shop" => Some(Self::Shop),
            "desk" => Some(Self::Desk),
            _ => None,
        }
    }
}

/// Where it is written down which tokens are not accepted before their time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyList {
    None,
    /// In the memory of the service that was told.
    Memory,
    /// In the database, where every check of every service reads it.
    Database,
}

impl DenyList {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Memory => "memory",
            Self::Database => "database",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "memory" => Some(Self::Memory),
            "database" => Some(Self::Database),
            _ => None,
        }
    }
}

/// A run, as it was read.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: Uuid,
    pub role: Role,
    pub disabled_at: Option<Moment>,
    pub algorithm: Algorithm,
    pub signing_key: i32,
    pub oldest_key: i32,
    pub deny_list: DenyList,
    pub split: bool,
    /// How far this run's tokens are judged ahead of the clock, in seconds.
    pub ahead: i64,
    pub steps: Vec<Entry>,
    pub step_count: i32,
    pub expires_at: Moment,
    /// The database's time when it was read.
    pub now: Moment,
}

/// One step that was taken, and what either side had to do for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub step: String,
    pub at: i64,
    pub session: String,
    pub token: String,
}

/// The credentials of the lab that one browser holds.
#[derive(Clone, Default)]
pub struct Held {
    pub session: Option<String>,
    pub access: Option<String>,
    pub refresh: Option<String>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.session.is_none() && self.access.is_none() && self.refresh.is_none()
    }

    /// As one cookie carries a copy of all three.
    pub fn packed(&self) -> String {
        [&self.session, &self.access, &self.refresh].map(|part| part.as_deref().unwrap_or_default()).join("~")
    }

    pub fn unpack(text: &str) -> Option<Self> {
        let mut parts = text.split('~').map(|part| (!part.is_empty()).then(|| part.to_owned()));
        let held = Self { session: parts.next()?, access: parts.next()?, refresh: parts.next()? };
        parts.next().is_none().then_some(held)
    }
}

impl Run {
    pub fn principal(&self) -> Principal {
        Principal(self.id)
    }

    /// The services there are.
    pub fn services(&self) -> &'static [Service] {
        if self.split { &[Service::Shop, Service::Desk] } else { &[Service::Shop] }
    }

    /// What the clock of this run's tokens says, in seconds of Unix time.
    pub fn token_time(&self) -> i64 {
        OffsetDateTime::from(self.now).unix_timestamp() + self.ahead
    }

    /// The same moment by the clock on the wall.
    pub fn wall(&self, token_time: i64) -> Moment {
        let at = OffsetDateTime::from_unix_timestamp(token_time.saturating_sub(self.ahead));
        Moment::from(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    pub(super) fn issuer(&self) -> &'static str {
        ISSUER
    }

    /// Whom a token issued now is for.
    pub(super) fn audience(&self) -> Vec<String> {
        self.services().iter().map(|service| service.name().to_owned()).collect()
    }

    /// A key that signs: derived from the secret, so that nothing is stored and a restart changes nothing.
    pub(super) fn key(&self, secret: &Secret, generation: i32) -> Key {
        let name = self.algorithm.name();
        let seed = secret.mac(
            "lab-signing-key",
            &[self.id.as_bytes(), name.as_bytes(), generation.to_string().as_bytes()],
        );
        Key::new(self.algorithm, &format!("lab-{}-{generation}", name.to_lowercase()), &seed)
    }

    /// What `service` was given to check signatures with. Of a key pair the desk gets the public half; of a shared
    /// secret there is no half.
    pub(super) fn key_of(&self, secret: &Secret, service: Service, generation: i32) -> Key {
        let key = self.key(secret, generation);
        match (service, self.algorithm) {
            (Service::Desk, Algorithm::EdDsa) => key.public(),
            _ => key,
        }
    }

    pub(super) fn verifier(&self, secret: &Secret, service: Service) -> Verifier {
        let keys = (self.oldest_key..=self.signing_key)
            .map(|generation| self.key_of(secret, service, generation))
            .collect();
        Verifier::new(self.algorithm, keys, self.issuer(), service.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_credentials_is_one_text_and_comes_back_whole() {
        let held = Held { session: Some("a".into()), access: None, refresh: Some("c.d".into()) };
        let back = Held::unpack(&held.packed()).unwrap();
        assert_eq!(
            (back.session.as_deref(), back.access, back.refresh.as_deref()),
            (Some("a"), None, Some("c.d"))
        );
        for other in ["", "a", "a~b", "a~b~c~d"] {
            assert!(Held::unpack(other).is_none(), "{other}");
        }
    }
}
