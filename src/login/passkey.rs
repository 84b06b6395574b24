//! Logging in, and confirming a session, with a passkey.

use serde_json::Value;

use crate::audit::{Act, Entry};
use crate::factors::{Assertion, Binding, PasskeyRefusal};
use crate::identity::{Answer, Client, Factor, LiveUser, UserId};
use crate::login::log_ins::Way;
use crate::login::{Login, Opened};
use latchkey_sessions::Key;

impl Login {
    /// What to ask the browser for: a passkey of any user, or one of `user` if the user is known.
    ///
    /// # Errors
    /// Refused if the network asked too often, or `user` has no passkey.
    pub async fn ask_for_passkey(
        &self,
        user: Option<UserId>,
        binding: Binding,
        client: Client,
    ) -> Answer<Value, PasskeyRefusal> {
        let answer = self.factors.ask_for_passkey(user, binding, client).await;
        if matches!(answer, Ok(Err(PasskeyRefusal::TooMany(_)))) {
            self.log_ins.throttled(Way::Passkey);
        }
        answer
    }

    /// Opens a session for whoever the passkey belongs to. It holds two factors by itself: the device, and what
    /// that device asked for (ASVS 5.0 6.3.3).
    pub async fn log_in_with_passkey(
        &self,
        binding: Binding,
        answer: Assertion,
        remember: bool,
        client: Client,
    ) -> Answer<Opened, PasskeyRefusal> {
        let answer = self.open_with_passkey(binding, answer, remember, client).await;
        self.log_ins.count(Way::Passkey, &answer);
        answer
    }

    async fn open_with_passkey(
        &self,
        binding: Binding,
        answer: Assertion,
        remember: bool,
        client: Client,
    ) -> Answer<Opened, PasskeyRefusal> {
        let proof = match self.factors.prove(None, binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |change| {
                if let Err(refusal) = login.factors.use_up(change, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                login.open_session(change, proof.held.user, Factor::Passkey, remember, &client).map(Ok)
            })
            .await
    }

    /// Rotates the session's key, for a passkey of its own user (ASVS 5.0 7.2.4, 7.5.1).
    pub async fn confirm_with_passkey(
        &self,
        live: LiveUser,
        binding: Binding,
        answer: Assertion,
        client: Client,
    ) -> Answer<Key, PasskeyRefusal> {
        let proof = match self.factors.prove(Some(live.owner.id), binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |change| {
                if let Err(refusal) = login.factors.use_up(change, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                let Some(key) = login.sessions.rotate(change, &live, true)? else {
                    return Ok(Err(PasskeyRefusal::SessionLost));
                };
                Entry::own(Act::Confirmed, live.owner.id, &client)
                    .session(live.record.handle)
                    .detail(Factor::Passkey.confirmed_with())
                    .write(change)?;
                Ok(Ok(key))
            })
            .await
    }
}
