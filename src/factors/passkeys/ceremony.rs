//! A WebAuthn ceremony: a challenge to the browser, stored until the browser responds.

use std::time::Duration;

use diesel::pg::PgConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::db::Fault;
use crate::factors::passkeys::model::BrowserBinding;
use crate::factors::queries::{self, CeremonyPurpose, NewCeremony};
use crate::secret;

/// How long a challenge waits for its response: as long as webauthn-rs lets the browser take (ASVS 5.0 6.7.2).
pub(super) const CEREMONY_TIMEOUT: Duration = Duration::from_secs(300);

/// Open challenges per browser: enough for some tabs with the log-in page, which each request one.
const MAX_OPEN_CEREMONIES: i64 = 8;

/// Stores a challenge. `options` are sent to the browser; webauthn-rs needs `state` again to verify the response.
pub(super) fn store_challenge(
    conn: &mut PgConnection,
    purpose: CeremonyPurpose,
    binding: &BrowserBinding,
    options: &Value,
    state: &impl Serialize,
) -> Result<(), Fault> {
    let challenge = options["publicKey"]["challenge"]
        .as_str()
        .ok_or_else(|| Fault::bug("webauthn-rs made options without a challenge"))?;
    let ceremony = NewCeremony {
        challenge_hash: secret::sha256(challenge.as_bytes()),
        browser: binding.0,
        purpose,
        state: serde_json::to_value(state).map_err(Fault::bug)?,
    };
    queries::insert_ceremony(conn, &ceremony, CEREMONY_TIMEOUT, MAX_OPEN_CEREMONIES)
}

/// Consumes the challenge that `client_data` responds to, and gives its state. Of two responses, the second finds none.
pub(super) fn take_ceremony_state(
    conn: &mut PgConnection,
    purpose: CeremonyPurpose,
    binding: &BrowserBinding,
    client_data: &[u8],
) -> Result<Option<Value>, Fault> {
    let Ok(ClientData { challenge }) = serde_json::from_slice(client_data) else { return Ok(None) };
    queries::take_ceremony(conn, &secret::sha256(challenge.as_bytes()), &binding.0, purpose)
}

/// The part of the client data that finds the challenge. webauthn-rs verifies all of it afterwards.
#[derive(Deserialize)]
struct ClientData<'a> {
    #[serde(borrow)]
    challenge: &'a str,
}

/// Credential ids as a list of `PublicKeyCredentialDescriptor`.
pub(super) fn credential_descriptors(ids: &[Vec<u8>]) -> Value {
    ids.iter().map(|id| json!({ "type": "public-key", "id": secret::encode(id) })).collect()
}
