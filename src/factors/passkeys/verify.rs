//! Verify a passkey: to log in, as the second factor, or to confirm a session.

use diesel::pg::PgConnection;
use serde_json::Value;
use webauthn_rs::prelude::{
    AuthenticationResult, Credential, DiscoverableAuthentication, Passkey as WebauthnPasskey, WebauthnError,
};

use crate::audit::{AuditAction, DetailReason, EventDetail, NewEvent};
use crate::db::{Failed, Fault, Refusable as _, off_thread, refuse};
use crate::factors::passkeys::ceremony::{credential_descriptors, store_challenge, take_ceremony_state};
use crate::factors::passkeys::model::{BrowserBinding, PasskeyRefusal, StoredPasskey};
use crate::factors::passkeys::responses::Assertion;
use crate::factors::queries::CeremonyPurpose;
use crate::factors::{Factors, queries};
use crate::identity::{Client, UserId};
use crate::notices::Notice;
use crate::throttle;
use latchkey_sessions::SessionTx;

/// A passkey whose signature was verified.
pub(crate) struct VerifiedPasskey {
    pub(crate) passkey: StoredPasskey,
    result: AuthenticationResult,
}

impl Factors {
    /// The options for the browser: for a passkey of any user, or of `user` if the user is known.
    pub async fn start_passkey_authentication(
        &self,
        user: Option<UserId>,
        binding: BrowserBinding,
        client: Client,
    ) -> Result<Value, Failed<PasskeyRefusal>> {
        let webauthn = self.relying_party.webauthn()?;
        let throttle = self.throttle.clone();
        self.db
            .write_or_refuse(move |conn| {
                let allowed = match user {
                    Some(user) => queries::credential_ids(conn, user)?,
                    None => Vec::new(),
                };
                // To the browser, an empty list means: any passkey. The list is a hint only; `is_owned_by` decides.
                if user.is_some() && allowed.is_empty() {
                    return refuse(PasskeyRefusal::Unknown);
                }
                if user.is_none() {
                    throttle::admit_passkey_start(conn, &client, &throttle)
                        .map_refusal(PasskeyRefusal::TooMany)?;
                }
                let (options, state) = webauthn.start_discoverable_authentication().map_err(Fault::bug)?;
                let mut options = serde_json::to_value(options).map_err(Fault::bug)?;
                // The page chooses: a dialog at once, or passkeys in the autofill of the form.
                options.as_object_mut().map(|options| options.remove("mediation"));
                options["publicKey"]["allowCredentials"] = credential_descriptors(&allowed);
                store_challenge(conn, CeremonyPurpose::Prove, &binding, &options, &state)?;
                Ok(options)
            })
            .await
    }

    /// Verifies the response to a challenge (WebAuthn §7.2), which is consumed in any case.
    ///
    /// * `expected`: the user who must own the passkey, if known.
    /// * `refused_as`: the event to write if no such passkey is known.
    pub(crate) async fn verify_passkey(
        &self,
        expected: Option<UserId>,
        refused_as: AuditAction,
        binding: BrowserBinding,
        assertion: Assertion,
        client: &Client,
    ) -> Result<VerifiedPasskey, Failed<PasskeyRefusal>> {
        let webauthn = self.relying_party.webauthn()?;
        let (client_data, id) = (assertion.response.client_data_json.clone(), assertion.raw_id.clone());
        let (state, passkey) = self
            .db
            .write(move |conn| {
                let state = take_ceremony_state(conn, CeremonyPurpose::Prove, &binding, &client_data)?;
                Ok((state, queries::passkey_by_credential(conn, &id)?))
            })
            .await?;
        let Some(state) = state else { return refuse(PasskeyRefusal::Expired) };
        let Some(passkey) = passkey.filter(|passkey| is_owned_by(passkey.user, expected, &assertion)) else {
            let client = client.clone();
            self.db
                .write(move |conn| {
                    NewEvent::unproven(refused_as, expected, &client)
                        .reason(DetailReason::UnknownPasskey)
                        .write(conn)
                })
                .await?;
            return refuse(PasskeyRefusal::Unknown);
        };
        let state: DiscoverableAuthentication = serde_json::from_value(state).map_err(Fault::bug)?;
        let stored: WebauthnPasskey =
            serde_json::from_value(passkey.credential.clone()).map_err(Fault::bug)?;
        let verified =
            off_thread(
                move || Ok(webauthn.finish_discoverable_authentication_v2(&assertion, state, &stored)),
            )
            .await?;
        let refusal = match verified {
            Ok(result) => return Ok(VerifiedPasskey { passkey, result }),
            Err(WebauthnError::UserNotVerified) => PasskeyRefusal::NotVerified,
            Err(WebauthnError::CredentialPossibleCompromise) => PasskeyRefusal::PossiblyCloned,
            Err(why) => {
                tracing::info!(%why, "refused a passkey");
                PasskeyRefusal::Invalid
            }
        };
        let (factors, client) = (self.clone(), client.clone());
        self.db.write_or_refuse(move |conn| factors.refuse_passkey(conn, &passkey, refusal, &client)).await
    }

    /// Stores the new state of the passkey, in the transaction of the operation that it is used for. Refuses if, since the
    /// signature was verified, the user was disabled, the passkey was removed, or a copy of it was used.
    pub(crate) fn record_passkey_use(
        &self,
        tx: &mut SessionTx<'_>,
        verified: &VerifiedPasskey,
        client: &Client,
    ) -> Result<(), Failed<PasskeyRefusal>> {
        let VerifiedPasskey { passkey, result } = verified;
        if !crate::identity::queries::lock_active(tx, passkey.user)? {
            return refuse(PasskeyRefusal::Unknown);
        }
        let Some(credential) = queries::lock_passkey(tx, passkey.id)? else {
            return refuse(PasskeyRefusal::Unknown);
        };
        let mut stored: WebauthnPasskey = serde_json::from_value(credential).map_err(Fault::bug)?;
        let counter = Credential::from(stored.clone()).counter;
        if (result.counter() > 0 || counter > 0) && result.counter() <= counter {
            return self.refuse_passkey(tx, passkey, PasskeyRefusal::PossiblyCloned, client);
        }
        stored.update_credential(result);
        let credential = serde_json::to_value(&stored).map_err(Fault::bug)?;
        Ok(queries::update_passkey_credential(tx, passkey.id, &credential)?)
    }

    /// Refuses a passkey of this server: writes the event, and notifies the owner of a possible copy, once.
    fn refuse_passkey<T>(
        &self,
        conn: &mut PgConnection,
        passkey: &StoredPasskey,
        refusal: PasskeyRefusal,
        client: &Client,
    ) -> Result<T, Failed<PasskeyRefusal>> {
        let (act, reason) = match refusal {
            PasskeyRefusal::PossiblyCloned => {
                let owner = crate::identity::queries::recipient(conn, passkey.user)?;
                let is_first = queries::mark_passkey_suspect(conn, passkey.id)?;
                if let Some(owner) = owner.filter(|_| is_first) {
                    self.notices.send_notice(conn, &owner, &Notice::PasskeyCopied, client)?;
                }
                (AuditAction::PasskeyCopied, None)
            }
            PasskeyRefusal::NotVerified => (AuditAction::PasskeyRefused, Some(DetailReason::UserNotVerified)),
            _ => (AuditAction::PasskeyRefused, Some(DetailReason::InvalidSignature)),
        };
        let detail = EventDetail::Passkey { passkey: passkey.name.clone(), reason };
        NewEvent::unproven(act, Some(passkey.user), client).data(&detail).write(conn)?;
        refuse(refusal)
    }
}

/// Whether the passkey's owner is the expected user. If none is expected, the response itself has to name the owner
/// (WebAuthn §7.2 step 6).
fn is_owned_by(owner: UserId, expected: Option<UserId>, assertion: &Assertion) -> bool {
    let is_named = assertion.get_user_unique_id().map(|handle| handle == owner.0.as_bytes());
    match expected {
        Some(user) => user == owner && is_named != Some(false),
        None => is_named == Some(true),
    }
}
