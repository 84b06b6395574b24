//! Passkeys: whom they are made for, and the ceremonies in which they are made and used (W3C Web Authentication,
//! Level 3). A passkey verifies its person by itself, so that one is two factors (NIST SP 800-63B-4 §2.2.1).

mod manage;
mod password_alone;
mod register;
mod responses;
mod verify;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use diesel::pg::PgConnection;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{Webauthn, WebauthnBuilder};

use crate::config::{Misconfigured, Origin};
use crate::db::Fault;
use crate::factors::{Factors, queries};
use crate::secret;
use crate::throttle::RetryAfter;

pub use password_alone::{PasskeyStep, PasskeyStepChange};
pub use responses::{Assertion, Attestation};
pub(crate) use verify::StoredPasskey;

/// How long a challenge may wait for its answer: as long as webauthn-rs lets the browser take (ASVS 5.0 6.7.2).
const CEREMONY_TIMEOUT: Duration = Duration::from_secs(300);

/// Challenges one browser may have open: some tabs, each of which offers passkeys beside the password.
const MAX_OPEN_CEREMONIES: i64 = 8;

/// Passkeys one person may have: more devices than anybody carries, and few enough to list.
const MAX_PASSKEYS: i64 = 20;

/// Whom passkeys are made for: the host of the public URL. Nobody where that is an address, for which browsers make
/// none.
#[derive(Clone)]
pub(crate) struct RelyingParty(Option<Arc<Webauthn>>);

impl RelyingParty {
    pub fn new(public: &Origin) -> Result<Self, Misconfigured> {
        let broken =
            |why: &dyn fmt::Display| Misconfigured::new(format!("passkeys for {}: {why}", public.as_str()));
        let url = Url::parse(public.as_str()).map_err(|error| broken(&error))?;
        let Some(domain) = url.domain() else { return Ok(Self(None)) };
        let webauthn = WebauthnBuilder::new(domain, &url)
            .and_then(|builder| builder.rp_name("Latchkey").timeout(CEREMONY_TIMEOUT).build())
            .map_err(|error| broken(&error))?;
        Ok(Self(Some(Arc::new(webauthn))))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyId(pub Uuid);

impl FromStr for PasskeyId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// A passkey as its owner sees it.
#[derive(Clone, Debug)]
pub struct Passkey {
    pub id: PasskeyId,
    pub name: String,
    pub created_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
    pub suspect_since: Option<OffsetDateTime>,
}

/// What comes of a new passkey.
#[derive(Debug, PartialEq, Eq)]
pub struct AddedPasskey {
    /// Recovery codes are to be made now, for when it is lost.
    pub wants_codes: bool,
    /// What became of the password, where it logged in alone until now.
    pub step: Option<PasskeyStep>,
}

/// What ties an answer to the browser that was asked. Only its hash is kept.
#[derive(Clone)]
pub struct BrowserBinding([u8; 32]);

impl BrowserBinding {
    /// `text`: a secret of this browser that stays the same from question to answer.
    pub fn of(secret: &str) -> Self {
        Self(secret::sha256(text.as_bytes()))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum PasskeyRefusal {
    /// The public URL names an address and no host.
    Unavailable,
    /// Nothing was asked that this answers: too late, take_ceremony_state before, or asked of another browser.
    Expired,
    /// Not a passkey that lets anybody in here, or not this person.
    Unknown,
    /// Neither PIN nor finger nor face was asked for (WebAuthn §7.2: the UV flag).
    NotVerified,
    /// Made for another site, or the signature does not fit.
    Invalid,
    /// Its counter went back, so there may be a copy of it.
    PossiblyCloned,
    /// This authenticator has one for this account.
    AlreadyRegistered,
    /// As many as one person may have.
    LimitReached,
    TooMany(RetryAfter),
    /// The log-in it was to be the second step of ended.
    PendingLoginGone,
    /// The session ended, or another request rotated its key, while this one ran.
    SessionLost,
}

#[derive(Clone, Copy)]
pub(crate) enum CeremonyPurpose {
    /// Log in, second factor, confirm: who is there?
    Prove,
    Register,
}

impl CeremonyPurpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prove => "prove",
            Self::Register => "register",
        }
    }
}

/// A question as it is kept until it is take_ceremony_state.
pub(crate) struct Ceremony {
    pub challenge_hash: [u8; 32],
    pub browser: [u8; 32],
    pub purpose: CeremonyPurpose,
    pub state: Value,
}

impl Ceremony {
    /// `options` are what the browser is told; `state` what webauthn-rs wants to see again.
    fn new(
        purpose: CeremonyPurpose,
        binding: &BrowserBinding,
        options: &Value,
        state: &impl serde::Serialize,
    ) -> Result<Self, Fault> {
        let challenge = options["publicKey"]["challenge"]
            .as_str()
            .ok_or_else(|| Fault::Bug("webauthn-rs asked without a challenge".into()))?;
        Ok(Self {
            challenge_hash: secret::sha256(challenge.as_bytes()),
            browser: binding.0,
            purpose,
            state: serde_json::to_value(state).map_err(Fault::bug)?,
        })
    }

    fn insert(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        queries::insert_ceremony(conn, self, CEREMONY_TIMEOUT, MAX_OPEN_CEREMONIES)
    }
}

/// What the browser was asked, by its own account: the question is looked up by it, and then held against it.
#[derive(Deserialize)]
struct ClientData<'a> {
    #[serde(borrow)]
    challenge: &'a str,
}

impl Factors {
    /// Whether browsers make passkeys for our public URL.
    pub fn passkeys_available(&self) -> bool {
        self.relying_party.0.is_some()
    }

    fn webauthn(&self) -> Result<Arc<Webauthn>, PasskeyRefusal> {
        self.relying_party.0.clone().ok_or(PasskeyRefusal::Unavailable)
    }
}

/// Passkeys as the browser is told of them.
fn credential_descriptors(ids: &[Vec<u8>]) -> Value {
    ids.iter().map(|id| json!({ "type": "public-key", "id": secret::encode(id) })).collect()
}

/// Takes the question that `client_data` answers, once: of two that come at the same time one finds nothing.
fn take_ceremony_state(
    conn: &mut PgConnection,
    purpose: CeremonyPurpose,
    binding: &BrowserBinding,
    client_data: &[u8],
) -> Result<Option<Value>, Fault> {
    let Ok(ClientData { challenge }) = serde_json::from_slice(client_data) else { return Ok(None) };
    queries::take_ceremony(conn, &secret::sha256(challenge.as_bytes()), &binding.0, purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_made_for_hosts_and_not_for_addresses() {
        let works = |url: &str| RelyingParty::new(&Origin::parse(url).unwrap()).unwrap().0.is_some();
        assert!(works("https://id.example.org") && works("https://id.example.org:8443"));
        assert!(works("http://localhost:8080"));
        assert!(
            !works("https://192.0.2.7") && !works("https://[2001:db8::1]") && !works("http://127.0.0.1:8080")
        );
    }
}
