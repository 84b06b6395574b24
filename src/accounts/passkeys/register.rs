//! Making a passkey, for somebody who is logged in and has just confirmed it.

use diesel::pg::PgConnection;
use serde_json::Value;
use webauthn_rs::prelude::{Passkey as Credential, PasskeyRegistration, WebauthnError};

use super::{Attestation, Binding, Ceremony, MOST, PasskeyRefusal, Purpose, answered, listed};
use crate::accounts::audit::Entry;
use crate::accounts::{Accounts, Act, Answer, Client, LiveUser, queries};
use crate::db::{Fault, off_thread};
use crate::device;
use crate::unicode::direction::isolated;

impl Accounts {
    /// What to ask the browser for: a passkey that finds its account by itself and verifies its person, from an
    /// authenticator that has none for this account yet.
    pub async fn ask_for_new_passkey(
        &self,
        live: LiveUser,
        binding: Binding,
    ) -> Answer<Value, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let user = live.owner.id;
        self.db
            .write(move |conn| {
                let Some(person) = queries::addressee(conn, user)? else {
                    return Ok(Err(PasskeyRefusal::SessionLost));
                };
                let held = queries::credential_ids(conn, user)?;
                // Which ones are excluded the browser is told; that none comes twice is the table's to say.
                let (options, state) = webauthn
                    .start_passkey_registration(user.0, &person.email, &person.name, None)
                    .map_err(Fault::bug)?;
                let mut options = serde_json::to_value(options).map_err(Fault::bug)?;
                options["publicKey"]["excludeCredentials"] = listed(&held);
                let selection = &mut options["publicKey"]["authenticatorSelection"];
                selection["residentKey"] = "required".into();
                selection["requireResidentKey"] = true.into();
                Ceremony::new(Purpose::Register, &binding, &options, &state)?.open(conn)?;
                Ok(Ok(options))
            })
            .await
    }

    /// Keeps the passkey that was made. Answers whether recovery codes are to be made now, for when it is lost.
    pub async fn add_passkey(
        &self,
        live: LiveUser,
        binding: Binding,
        made: Attestation,
        client: Client,
    ) -> Answer<bool, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let client_data = made.response.client_data_json.clone();
        let state =
            self.db.write(move |conn| answered(conn, Purpose::Register, &binding, &client_data)).await?;
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
        let accounts = self.clone();
        self.db.write(move |conn| accounts.keep(conn, &live, &credential, &client)).await
    }

    fn keep(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        credential: &Credential,
        client: &Client,
    ) -> Answer<bool, PasskeyRefusal> {
        let user = live.owner.id;
        // Whoever adds one at the same time waits here, so that the count holds.
        let active = self.may_still(conn, live)?;
        let Some(person) = queries::addressee(conn, user)?.filter(|_| active) else {
            return Ok(Err(PasskeyRefusal::SessionLost));
        };
        let held = queries::passkeys_of(conn, user)?;
        if i64::try_from(held.len()).unwrap_or(i64::MAX) >= MOST {
            return Ok(Err(PasskeyRefusal::Enough));
        }
        let device = device::name(&client.user_agent);
        let taken = |name: &String| held.iter().any(|passkey| passkey.name == *name);
        let name = std::iter::once(device.clone())
            .chain((2..).map(|number| format!("{device} ({number})")))
            .find(|name| !taken(name))
            .unwrap_or(device);
        let json = serde_json::to_value(credential).map_err(Fault::bug)?;
        if !queries::insert_passkey(conn, user, credential.cred_id(), &json, &name)? {
            return Ok(Err(PasskeyRefusal::Taken));
        }
        Entry::own(Act::PasskeyAdded, user, client).session(live.record.handle).detail(&name).write(conn)?;
        self.tell_factor_added(conn, &person, &format!("passkey “{}”", isolated(&name)), client)?;
        Ok(Ok(queries::recovery_codes_left(conn, user)? == 0))
    }
}
