//! Making a passkey, for somebody who is logged in and has just confirmed it.

use diesel::pg::PgConnection;
use serde_json::Value;
use webauthn_rs::prelude::{Passkey as WebauthnPasskey, PasskeyRegistration, WebauthnError};

use super::{
    AddedPasskey, Attestation, BrowserBinding, Ceremony, CeremonyPurpose, MAX_PASSKEYS, PasskeyRefusal,
    PasskeyStep, credential_descriptors, take_ceremony_state,
};
use crate::audit::{AuditAction, NewEvent};
use crate::db::{Fault, off_thread};
use crate::device;
use crate::factors::{Factors, queries};
use crate::identity::{Answer, Client, LiveUser, UserId};

impl Factors {
    /// What to ask the browser for: a passkey that finds its account by itself and verifies its person, from an
    /// authenticator that has none for this account yet.
    pub async fn start_passkey_registration(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
    ) -> Answer<Value, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let user = live.owner.id;
        self.db
            .write(move |conn| {
                let Some(person) = crate::identity::queries::recipient(conn, user)? else {
                    return Ok(Err(PasskeyRefusal::SessionLost));
                };
                let held = queries::credential_ids(conn, user)?;
                // Which ones are excluded the browser is told; that none comes twice is the table's to say.
                let (options, state) = webauthn
                    .start_passkey_registration(user.0, &person.email, &person.name, None)
                    .map_err(Fault::bug)?;
                let mut options = serde_json::to_value(options).map_err(Fault::bug)?;
                options["publicKey"]["excludeCredentials"] = credential_descriptors(&held);
                let selection = &mut options["publicKey"]["authenticatorSelection"];
                selection["residentKey"] = "required".into();
                selection["requireResidentKey"] = true.into();
                Ceremony::new(CeremonyPurpose::Register, &binding, &options, &state)?.insert(conn)?;
                Ok(Ok(options))
            })
            .await
    }

    /// Keeps the passkey that was made. With the first one, `step` says what becomes of the password; an authenticator
    /// app requires a second step in any case.
    pub async fn finish_passkey_registration(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
        made: Attestation,
        step: PasskeyStep,
        client: Client,
    ) -> Answer<AddedPasskey, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let client_data = made.response.client_data_json.clone();
        let state = self
            .db
            .write(move |conn| take_ceremony_state(conn, CeremonyPurpose::Register, &binding, &client_data))
            .await?;
        let Some(state) = state else { return Ok(Err(PasskeyRefusal::Expired)) };
        let state: PasskeyRegistration = serde_json::from_value(state).map_err(Fault::bug)?;
        let checked = off_thread(move || Ok(webauthn.finish_passkey_registration(&made, &state))).await?;
        let credential = match checked {
            Ok(credential) => credential,
            Err(WebauthnError::UserNotVerified) => return Ok(Err(PasskeyRefusal::NotVerified)),
            Err(why) => {
                tracing::info!(%why, "a new passkey is refused");
                return Ok(Err(PasskeyRefusal::Invalid));
            }
        };
        let factors = self.clone();
        self.db.write(move |conn| factors.store_passkey(conn, &live, &credential, step, &client)).await
    }

    fn store_passkey(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        credential: &WebauthnPasskey,
        step: PasskeyStep,
        client: &Client,
    ) -> Answer<AddedPasskey, PasskeyRefusal> {
        let user = live.owner.id;
        // Whoever adds one at the same time waits here, so that the count holds.
        let active = self.lock_if_live(conn, live)?;
        let Some(person) = crate::identity::queries::recipient(conn, user)?.filter(|_| active) else {
            return Ok(Err(PasskeyRefusal::SessionLost));
        };
        let held = queries::passkeys_of(conn, user)?;
        if i64::try_from(held.len()).unwrap_or(i64::MAX) >= MAX_PASSKEYS {
            return Ok(Err(PasskeyRefusal::LimitReached));
        }
        let device = device::name(&client.user_agent);
        let taken = |name: &String| held.iter().any(|passkey| passkey.name == *name);
        let name = std::iter::once(device.clone())
            .chain((2..).map(|number| format!("{device} ({number})")))
            .find(|name| !taken(name))
            .unwrap_or(device);
        let json = serde_json::to_value(credential).map_err(Fault::bug)?;
        if !queries::insert_passkey(conn, user, credential.cred_id(), &json, &name)? {
            return Ok(Err(PasskeyRefusal::AlreadyRegistered));
        }
        let step = if held.is_empty() { self.apply_password_choice(conn, user, step)? } else { None };
        let (noted, told) = match step {
            Some(PasskeyStep::Required) => {
                ("", "a passkey, which is asked for after your password from now on")
            }
            Some(PasskeyStep::Off) => (
                ", not asked for after the password",
                "a passkey; your password alone still logs you in as well",
            ),
            None => ("", "a passkey"),
        };
        NewEvent::by_owner(AuditAction::PasskeyAdded, user, client)
            .session(live.record.handle)
            .detail(&format!("{name}{noted}"))
            .write(conn)?;
        self.notify_factor_added(conn, &person, told, client)?;
        let on = queries::has_second_factor(conn, user)?;
        let wants_codes = on && queries::recovery_codes_left(conn, user)? == 0;
        Ok(Ok(AddedPasskey { wants_codes, step }))
    }

    /// With the first passkey: carries out the choice about the password, if there is one to make.
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
