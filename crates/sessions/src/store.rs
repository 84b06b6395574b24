//! `actix_session::storage::SessionStore` on [`Sessions`]; see the table in the room's documentation.

use std::collections::HashMap;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time;

use super::{Key, KeyHash, Live, Login, Owner, Policy, Principal, Sessions, State, queries, request};
use latchkey_db::Fault;

/// Where actix-identity keeps the principal in the map; the table has it in a column.
const IDENTITY_KEY: &str = "actix_identity.user_id";

/// The store to hand to `SessionMiddleware`.
pub struct PgStore<O: Owner = ()> {
    sessions: Sessions<O>,
}

impl<O: Owner> PgStore<O> {
    pub(super) fn new(sessions: Sessions<O>) -> Self {
        Self { sessions }
    }

    async fn put(&self, key: KeyHash, state: State) -> Result<(), anyhow::Error> {
        let write = self.sessions.write(move |change| {
            change.recall();
            Ok(queries::set_state(change, &key, &state)?)
        });
        write.await.map(drop).map_err(noted)
    }

    /// Ends the session that `key` opens, or opened when this request began: another one may have rotated it
    /// since. A session that has just got the key being handed over is not the one to end.
    async fn end(&self, key: KeyHash) -> Result<usize, anyhow::Error> {
        let loaded =
            request::loaded::<O>().filter(|live| live.key_hash == key).map(|live| live.record.handle);
        let spared = request::pending_key();
        let write = self.sessions.write(move |change| {
            change.recall();
            match loaded {
                Some(handle) => Ok(queries::revoke_but(change, handle, spared.as_ref())?),
                None => Ok(queries::revoke_by_key(change, &key)?),
            }
        });
        write.await.map_err(noted)
    }
}

impl<O: Owner> Sessions<O> {
    /// Finds the session that `raw` opens, as a browser sent it, and makes it the one this request was made with
    /// ([`request::loaded`]). What the store does when actix-session loads; enough where nothing will be saved. Called
    /// again later in the request, it replaces what it found before, or takes it away.
    pub async fn load(&self, raw: &str) -> Result<Option<Live<O>>, Fault> {
        request::forget_loaded();
        let Some(key) = KeyHash::of(raw) else { return Ok(None) };
        let Some(live) = self.find_by_hash(key).await? else { return Ok(None) };
        let remembered = live.record.remember.then(|| self.policy.absolute(true));
        request::remember_loaded(live.clone(), remembered);
        Ok(Some(live))
    }
}

impl<O: Owner> SessionStore for PgStore<O> {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        let live = self.sessions.load(session_key.as_ref()).await;
        let live = live.map_err(|fault| LoadError::Other(noted(fault)))?;
        Ok(live.map(|live| live.state_with_principal(IDENTITY_KEY)))
    }

    async fn save(
        &self,
        state: HashMap<String, String>,
        _: &time::Duration,
    ) -> Result<SessionKey, SaveError> {
        if let Some(key) = request::take_key() {
            let (_, state) = split(state).map_err(SaveError::Other)?;
            if state != State::default() {
                self.put(key.hash(), state).await.map_err(SaveError::Other)?;
            }
            return key.into_session_key();
        }
        if request::is_lost() {
            // The session being renewed was revoked meanwhile: hand out a key that opens nothing.
            return Key::generate().map_err(|error| SaveError::Other(error.into()))?.into_session_key();
        }
        let (principal, state) = split(state).map_err(SaveError::Other)?;
        let Some(principal) = principal else {
            return Err(SaveError::Other(anyhow::anyhow!("a session without a principal is not stored")));
        };
        let sessions = self.sessions.clone();
        let key = self
            .sessions
            .write(move |change| {
                let login = Login {
                    principal,
                    remember: false,
                    factor: "external".into(),
                    address: String::new(),
                    user_agent: String::new(),
                    device: None,
                };
                let (key, _) = sessions.open(change, &login)?;
                queries::set_state(change, &key.hash(), &state)?;
                Ok(key)
            })
            .await
            .map_err(|fault| SaveError::Other(noted(fault)))?;
        key.into_session_key()
    }

    async fn update(
        &self,
        session_key: SessionKey,
        state: HashMap<String, String>,
        _: &time::Duration,
    ) -> Result<SessionKey, UpdateError> {
        let new_key = request::take_key();
        let Some(key) = new_key.as_ref().map(Key::hash).or_else(|| KeyHash::of(session_key.as_ref())) else {
            return Ok(session_key);
        };
        let (principal, state) = split(state).map_err(UpdateError::Other)?;
        let unchanged = || request::loaded::<O>().is_some_and(|live| live.record.state == state);
        if principal.is_none() {
            // It was put there by `load`: taking it away, as `Session::clear` does, is logging out.
            self.end(key).await.map_err(UpdateError::Other)?;
        } else if !unchanged() {
            self.put(key, state).await.map_err(UpdateError::Other)?;
        }
        match new_key {
            Some(key) => key.into_session_key().map_err(|error| UpdateError::Other(error.into())),
            None => Ok(session_key),
        }
    }

    async fn update_ttl(&self, session_key: &SessionKey, _: &time::Duration) -> Result<(), anyhow::Error> {
        let Some(hash) = KeyHash::of(session_key.as_ref()) else { return Ok(()) };
        let Policy { idle, absolute, remembered_idle, remembered_absolute, .. } = self.sessions.policy;
        self.sessions
            .db
            .write(move |conn| {
                Ok(queries::restart_idle(
                    conn,
                    &hash,
                    (idle, absolute),
                    (remembered_idle, remembered_absolute),
                )?)
            })
            .await
            .map(drop)
            .map_err(noted)
    }

    async fn delete(&self, session_key: &SessionKey) -> Result<(), anyhow::Error> {
        let Some(key) = KeyHash::of(session_key.as_ref()) else { return Ok(()) };
        let ended = self.end(key).await?;
        if ended == 0 {
            request::note_lost();
        }
        Ok(())
    }
}

/// Separates what has a column of its own from the rest of the map.
fn split(mut map: HashMap<String, String>) -> Result<(Option<Principal>, State), anyhow::Error> {
    let principal = match map.remove(IDENTITY_KEY) {
        Some(json) => Some(Principal(serde_json::from_str(&json)?)),
        None => None,
    };
    Ok((principal, State::new(map)?))
}

fn noted(fault: Fault) -> anyhow::Error {
    request::note_fault(&fault);
    fault.into()
}
