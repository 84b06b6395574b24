//! Logging in, and confirming a session, with a passkey.

use serde_json::Value;

use crate::audit::{AuditAction, NewEvent};
use crate::factors::{Assertion, BrowserBinding, PasskeyRefusal};
use crate::identity::{Answer, Client, LiveUser, LoginMethod, UserId};
use crate::login::log_ins::LoginMethod;
use crate::login::{Login, OpenedSession};
use latchkey_sessions::Key;

impl Login {
    /// What to ask the browser for: a passkey of any user, or one of `user` if the user is known.
    ///
    /// # Errors
    /// Refused if the network asked too often, or `user` has no passkey.
    pub async fn start_passkey_authentication(
        &self,
        user: Option<UserId>,
        binding: BrowserBinding,
        client: Client,
    ) -> Answer<Value, PasskeyRefusal> {
        let answer = self.factors.start_passkey_authentication(user, binding, client).await;
        if matches!(answer, Ok(Err(PasskeyRefusal::TooMany(_)))) {
            self.counters.throttled(LoginMethod::Passkey);
        }
        answer
    }

    /// Opens a session for whoever the passkey belongs to. It holds two factors by itself: the device, and what
    /// that device asked for (ASVS 5.0 6.3.3).
    pub async fn log_in_with_passkey(
        &self,
        binding: BrowserBinding,
        answer: Assertion,
        remember: bool,
        client: Client,
    ) -> Answer<OpenedSession, PasskeyRefusal> {
        let answer = self.open_with_passkey(binding, answer, remember, client).await;
        self.counters.count(LoginMethod::Passkey, &answer);
        answer
    }

    async fn open_with_passkey(
        &self,
        binding: BrowserBinding,
        answer: Assertion,
        remember: bool,
        client: Client,
    ) -> Answer<OpenedSession, PasskeyRefusal> {
        let proof = match self.factors.verify_passkey(None, binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                if let Err(refusal) = login.factors.record_passkey_use(tx, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                login.open_session(tx, proof.held.user, LoginMethod::Passkey, remember, &client).map(Ok)
            })
            .await
    }

    /// Rotates the session's key, for a passkey of its own user (ASVS 5.0 7.2.4, 7.5.1).
    pub async fn confirm_with_passkey(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
        answer: Assertion,
        client: Client,
    ) -> Answer<Key, PasskeyRefusal> {
        let proof = match self.factors.verify_passkey(Some(live.owner.id), binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                if let Err(refusal) = login.factors.record_passkey_use(tx, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                let Some(key) = login.sessions.rotate(tx, &live, true)? else {
                    return Ok(Err(PasskeyRefusal::SessionLost));
                };
                NewEvent::by_owner(AuditAction::Confirmed, live.owner.id, &client)
                    .session(live.record.handle)
                    .detail(LoginMethod::Passkey.confirmed_with())
                    .write(tx)?;
                Ok(Ok(key))
            })
            .await
    }
}
