//! Register a passkey, in a confirmed session.

use diesel::pg::PgConnection;
use serde_json::Value;
use webauthn_rs::prelude::{Passkey as WebauthnPasskey, PasskeyRegistration, WebauthnError};

use crate::audit::{AuditAction, DetailReason, EventDetail, NewEvent};
use crate::db::{Failed, Fault, off_thread, refuse};
use crate::device;
use crate::factors::passkeys::ceremony::{credential_descriptors, store_challenge, take_ceremony_state};
use crate::factors::passkeys::model::{BrowserBinding, PasskeyRefusal};
use crate::factors::passkeys::password_alone::PasskeyStep;
use crate::factors::passkeys::responses::Attestation;
use crate::factors::queries::CeremonyPurpose;
use crate::factors::{Factors, queries};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::notices::AddedFactor;

/// Passkeys per user: more devices than people carry, and few enough to list.
const MAX_PASSKEYS: i64 = 20;

/// A passkey that was just registered.
#[derive(Debug, PartialEq, Eq)]
pub struct AddedPasskey {
    /// The user has no recovery codes, and needs some in case the passkey is lost.
    pub wants_codes: bool,
    /// For the first passkey: whether the password alone still logs in.
    pub step: Option<PasskeyStep>,
}

impl Factors {
    /// The options for the browser: for a discoverable passkey with user verification, from an authenticator that has no
    /// passkey of this account yet.
    pub async fn start_passkey_registration(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
    ) -> Result<Value, Failed<PasskeyRefusal>> {
        let webauthn = self.relying_party.webauthn()?;
        let user = live.user_id();
        self.db
            .write_or_refuse(move |conn| {
                let Some(owner) = crate::identity::queries::recipient(conn, user)? else {
                    return refuse(PasskeyRefusal::SessionLost);
                };
                let excluded = queries::credential_ids(conn, user)?;
                let (options, state) = webauthn
                    .start_passkey_registration(user.0, &owner.email, &owner.name, None)
                    .map_err(Fault::bug)?;
                let mut options = serde_json::to_value(options).map_err(Fault::bug)?;
                options["publicKey"]["excludeCredentials"] = credential_descriptors(&excluded);
                let selection = &mut options["publicKey"]["authenticatorSelection"];
                selection["residentKey"] = "required".into();
                selection["requireResidentKey"] = true.into();
                store_challenge(conn, CeremonyPurpose::Register, &binding, &options, &state)?;
                Ok(options)
            })
            .await
    }

    /// Stores the new passkey. For the first passkey, `step` says whether the password alone still logs in; with an
    /// authenticator app it never does.
    pub async fn finish_passkey_registration(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
        attestation: Attestation,
        step: PasskeyStep,
        client: Client,
    ) -> Result<AddedPasskey, Failed<PasskeyRefusal>> {
        let webauthn = self.relying_party.webauthn()?;
        let client_data = attestation.response.client_data_json.clone();
        let state = self
            .db
            .write(move |conn| take_ceremony_state(conn, CeremonyPurpose::Register, &binding, &client_data))
            .await?;
        let Some(state) = state else { return refuse(PasskeyRefusal::Expired) };
        let state: PasskeyRegistration = serde_json::from_value(state).map_err(Fault::bug)?;
        let checked =
            off_thread(move || Ok(webauthn.finish_passkey_registration(&attestation, &state))).await?;
        let credential = match checked {
            Ok(credential) => credential,
            Err(WebauthnError::UserNotVerified) => return refuse(PasskeyRefusal::NotVerified),
            Err(why) => {
                tracing::info!(%why, "refused a new passkey");
                return refuse(PasskeyRefusal::Invalid);
            }
        };
        let factors = self.clone();
        self.db
            .write_or_refuse(move |conn| factors.store_passkey(conn, &live, &credential, step, &client))
            .await
    }

    fn store_passkey(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        credential: &WebauthnPasskey,
        step: PasskeyStep,
        client: &Client,
    ) -> Result<AddedPasskey, Failed<PasskeyRefusal>> {
        let user = live.user_id();
        // Locks the user's row, so that parallel registrations cannot exceed the limit.
        let is_live = self.lock_if_live(conn, live)?;
        let Some(owner) = crate::identity::queries::recipient(conn, user)?.filter(|_| is_live) else {
            return refuse(PasskeyRefusal::SessionLost);
        };
        let existing = queries::passkeys_of(conn, user)?;
        if i64::try_from(existing.len()).unwrap_or(i64::MAX) >= MAX_PASSKEYS {
            return refuse(PasskeyRefusal::LimitReached);
        }
        let device = device::name(&client.user_agent);
        let taken = |name: &String| existing.iter().any(|passkey| passkey.name == *name);
        let name = std::iter::once(device.clone())
            .chain((2..).map(|number| format!("{device} ({number})")))
            .find(|name| !taken(name))
            .unwrap_or(device);
        let json = serde_json::to_value(credential).map_err(Fault::bug)?;
        if !queries::insert_passkey(conn, user, credential.cred_id(), &json, &name)? {
            return refuse(PasskeyRefusal::AlreadyRegistered);
        }
        let step = if existing.is_empty() { self.apply_password_choice(conn, user, step)? } else { None };
        let (reason, added) = match step {
            Some(PasskeyStep::Required) => (None, AddedFactor::PasskeyRequired),
            Some(PasskeyStep::Off) => (Some(DetailReason::PasswordAlone), AddedFactor::PasskeyOptional),
            None => (None, AddedFactor::Passkey),
        };
        NewEvent::by_owner(AuditAction::PasskeyAdded, user, client)
            .session(live.record.handle)
            .data(&EventDetail::Passkey { passkey: name, reason })
            .write(conn)?;
        self.notify_factor_added(conn, &owner, added, client)?;
        let on = queries::has_second_factor(conn, user)?;
        let wants_codes = on && queries::recovery_codes_left(conn, user)? == 0;
        Ok(AddedPasskey { wants_codes, step })
    }

    /// For the first passkey: applies the choice whether the password alone still logs in. `None` if an authenticator app
    /// leaves no choice.
    fn apply_password_choice(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        step: PasskeyStep,
    ) -> Result<Option<PasskeyStep>, Fault> {
        if self.has_app(conn, user)? {
            queries::clear_password_alone_choice(conn, user)?;
            return Ok(None);
        }
        match step {
            PasskeyStep::Required => queries::clear_password_alone_choice(conn, user)?,
            PasskeyStep::Off => {
                queries::allow_password_alone(conn, user)?;
            }
        }
        Ok(Some(step))
    }
}
