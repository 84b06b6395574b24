//! Proving who one is with a passkey: to log in, or to confirm it in a session.

use diesel::pg::PgConnection;
use serde_json::Value;
use webauthn_rs::prelude::{
    AuthenticationResult, Credential, DiscoverableAuthentication, Passkey as Kept, WebauthnError,
};

use super::{Assertion, Binding, Ceremony, PasskeyId, PasskeyRefusal, Purpose, answered, listed};
use crate::audit::{Act, Entry};
use crate::db::{Fault, off_thread};
use crate::factors::{Factors, queries};
use crate::identity::{Answer, Client, UserId};
use crate::notices::Notice;
use crate::throttle;
use latchkey_sessions::SessionTx;

/// A passkey with what webauthn-rs keeps of it.
pub(crate) struct Held {
    pub id: PasskeyId,
    pub user: UserId,
    pub name: String,
    pub credential: Value,
}

/// A signature that fits.
pub(crate) struct Proof {
    pub(crate) held: Held,
    result: AuthenticationResult,
}

impl Factors {
    /// What to ask the browser for: any passkey of ours, or one of `user` where it is known who should be there.
    pub async fn ask_for_passkey(
        &self,
        user: Option<UserId>,
        binding: Binding,
        client: Client,
    ) -> Answer<Value, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let throttle = self.throttle.clone();
        self.db
            .write(move |conn| {
                let held = match user {
                    // An empty list would mean: any.
                    Some(user) => match queries::credential_ids(conn, user)? {
                        none if none.is_empty() => return Ok(Err(PasskeyRefusal::Unknown)),
                        held => held,
                    },
                    None => match throttle::may_begin(conn, &client, &throttle)? {
                        Ok(()) => Vec::new(),
                        Err(wait) => return Ok(Err(PasskeyRefusal::TooMany(wait))),
                    },
                };
                let (options, state) = webauthn.start_discoverable_authentication().map_err(Fault::bug)?;
                let mut options = serde_json::to_value(options).map_err(Fault::bug)?;
                // The page decides whether the browser asks now or offers it beside the password.
                options.as_object_mut().map(|options| options.remove("mediation"));
                options["publicKey"]["allowCredentials"] = listed(&held);
                Ceremony::new(Purpose::Prove, &binding, &options, &state)?.open(conn)?;
                Ok(Ok(options))
            })
            .await
    }

    /// Checks the answer to a question of ours (WebAuthn §7.2). The question is gone then, whatever came of it.
    pub(crate) async fn prove(
        &self,
        whose: Option<UserId>,
        binding: Binding,
        answer: Assertion,
        client: &Client,
    ) -> Answer<Proof, PasskeyRefusal> {
        let webauthn = match self.webauthn() {
            Ok(webauthn) => webauthn,
            Err(off) => return Ok(Err(off)),
        };
        let (client_data, id) = (answer.response.client_data_json.clone(), answer.raw_id.clone());
        let (state, held) = self
            .db
            .write(move |conn| {
                let state = answered(conn, Purpose::Prove, &binding, &client_data)?;
                Ok((state, queries::passkey_by_credential(conn, &id)?))
            })
            .await?;
        let Some(state) = state else { return Ok(Err(PasskeyRefusal::Expired)) };
        let Some(held) = held.filter(|held| is_of(held.user, whose, &answer)) else {
            let client = client.clone();
            self.db
                .write(move |conn| {
                    let act = if whose.is_some() { Act::ConfirmRefused } else { Act::LogInRefused };
                    Entry::nobody(act, whose, &client).detail("an unknown passkey").write(conn)
                })
                .await?;
            return Ok(Err(PasskeyRefusal::Unknown));
        };
        let state: DiscoverableAuthentication = serde_json::from_value(state).map_err(Fault::bug)?;
        let kept: Kept = serde_json::from_value(held.credential.clone()).map_err(Fault::bug)?;
        let checked =
            off_thread(move || Ok(webauthn.finish_discoverable_authentication_v2(&answer, state, &kept)))
                .await?;
        let refusal = match checked {
            Ok(result) => return Ok(Ok(Proof { held, result })),
            Err(WebauthnError::UserNotVerified) => PasskeyRefusal::NotVerified,
            Err(WebauthnError::CredentialPossibleCompromise) => PasskeyRefusal::Copied,
            Err(why) => {
                tracing::info!(%why, "a passkey is refused");
                PasskeyRefusal::Invalid
            }
        };
        let (factors, client) = (self.clone(), client.clone());
        self.db.write(move |conn| factors.refuse(conn, &held, refusal, &client).map(Err)).await
    }
}

/// Whether the passkey's owner is who should be there. One who was not known before has to be named by the passkey
/// itself (WebAuthn §7.2 step 6).
fn is_of(owner: UserId, whose: Option<UserId>, answer: &Assertion) -> bool {
    let named = answer.get_user_unique_id().map(|handle| handle == owner.0.as_bytes());
    match whose {
        Some(user) => user == owner && named != Some(false),
        None => named == Some(true),
    }
}

impl Factors {
    /// Notes that the passkey was used, in the transaction of what it was used for. Its owner may have been disabled
    /// since it signed, it may have been removed, and a copy of it may have come first.
    pub(crate) fn use_up(
        &self,
        change: &mut SessionTx<'_>,
        proof: &Proof,
        client: &Client,
    ) -> Answer<(), PasskeyRefusal> {
        let Proof { held, result } = proof;
        if !crate::identity::queries::lock_active(change, held.user)? {
            return Ok(Err(PasskeyRefusal::Unknown));
        }
        let Some(credential) = queries::lock_passkey(change, held.id)? else {
            return Ok(Err(PasskeyRefusal::Unknown));
        };
        let mut kept: Kept = serde_json::from_value(credential).map_err(Fault::bug)?;
        let counter = Credential::from(kept.clone()).counter;
        if (result.counter() > 0 || counter > 0) && result.counter() <= counter {
            return self.refuse(change, held, PasskeyRefusal::Copied, client).map(Err);
        }
        kept.update_credential(result);
        queries::note_passkey_used(change, held.id, &serde_json::to_value(&kept).map_err(Fault::bug)?)?;
        Ok(Ok(()))
    }

    fn refuse(
        &self,
        conn: &mut PgConnection,
        held: &Held,
        refusal: PasskeyRefusal,
        client: &Client,
    ) -> Result<PasskeyRefusal, Fault> {
        let (act, why) = match refusal {
            PasskeyRefusal::Copied => {
                let person = crate::identity::queries::addressee(conn, held.user)?;
                let first = queries::suspect_passkey(conn, held.id)?;
                if let Some(person) = person.filter(|_| first) {
                    self.notices.tell(conn, &person, &Notice::PasskeyCopied, client)?;
                }
                (Act::PasskeyCopied, "")
            }
            PasskeyRefusal::NotVerified => (Act::PasskeyRefused, ", which did not verify its person"),
            _ => (Act::PasskeyRefused, ", whose signature does not fit"),
        };
        Entry::nobody(act, Some(held.user), client).detail(&format!("{}{why}", held.name)).write(conn)?;
        Ok(refusal)
    }
}
