//! What a passkey is, for its owner and in the database, and how an operation with one is refused.

use std::str::FromStr;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::identity::UserId;
use crate::secret;
use crate::throttle::RetryAfter;

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

/// A passkey with the state that webauthn-rs needs to verify it.
pub(crate) struct StoredPasskey {
    pub id: PasskeyId,
    pub user: UserId,
    pub name: String,
    pub credential: Value,
}

/// Binds a response to the browser that got the challenge. Only its hash is stored.
#[derive(Clone)]
pub struct BrowserBinding(pub(crate) [u8; 32]);

impl BrowserBinding {
    /// `shared_text`: a secret text of this browser that stays the same during the ceremony.
    pub fn of(shared_text: &str) -> Self {
        Self(secret::sha256(shared_text.as_bytes()))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum PasskeyRefusal {
    /// The public URL contains an IP address instead of a host name.
    Unavailable,
    /// No open challenge for this response: expired, answered before, or issued to another browser.
    Expired,
    /// Not a passkey of an active user, or of another user than expected.
    Unknown,
    /// The authenticator asked for neither PIN nor biometrics (WebAuthn §7.2: the UV flag).
    NotVerified,
    /// Made for another site, or the signature is wrong.
    Invalid,
    /// The signature counter went back, so there may be a copy of the passkey.
    PossiblyCloned,
    /// The authenticator has a passkey of this account already.
    AlreadyRegistered,
    /// The user has as many passkeys as allowed.
    LimitReached,
    TooMany(RetryAfter),
    /// The pending log-in ended.
    PendingLoginGone,
    /// The session ended, or another request rotated its key, while this one ran.
    SessionLost,
}
