//! `actix_session::storage::SessionStore` for [`Store`]; see the table in the crate's documentation.

use std::collections::HashMap;
use std::time::Duration;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time;

use latchkey_db::Fault;

use super::{
    Key, KeyHash, LiveSession, NewSession, Owner, Policy, Principal, SessionState, Store, queries, request,
};

impl<O: Owner> Store<O> {
    async fn put(&self, key: KeyHash, state: SessionState) -> Result<(), anyhow::Error> {
        let write = self.write(move |tx| {
            tx.invalidates();
            Ok(queries::set_state(tx, O::KIND, &key, &state)?)
        });
        write.await.map(drop).map_err(noted)
    }

    /// Ends the session that has `key`, or had it when this request began: another request may have rotated it since.
    /// Does not end the session whose key was issued in this request.
    async fn end_by_key(&self, key: KeyHash) -> Result<usize, anyhow::Error> {
        let loaded =
            request::loaded::<O>().filter(|live| live.key_hash == key).map(|live| live.record.handle);
        let spared = request::issued_key();
        let write = self.write(move |tx| {
            tx.invalidates();
            match loaded {
                Some(handle) => Ok(queries::revoke_but(tx, handle, spared.as_ref())?),
                None => Ok(queries::revoke_by_key(tx, O::KIND, &key)?),
            }
        });
        write.await.map_err(noted)
    }

    /// Finds the session of the cookie text `raw`, and makes it the session of this request ([`request::loaded`]).
    async fn load_for_request(&self, raw: &str) -> Result<Option<LiveSession<O>>, Fault> {
        request::clear_loaded();
        let Some(live) = self.find_by_cookie(raw).await? else { return Ok(None) };
        request::set_loaded(live.clone(), self.key_lifetime(&live));
        Ok(Some(live))
    }

    fn key_lifetime(&self, live: &LiveSession<O>) -> Option<Duration> {
        live.record.remember.then(|| self.policy.absolute(true))
    }
}

impl<O: Owner> SessionStore for Store<O> {
    async fn load(&self, session_key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        let raw = session_key.as_ref();
        if KeyHash::of(raw).is_some_and(|key| request::take_looked_up(&key)) {
            let live = request::loaded::<O>();
            if let Some(live) = &live {
                request::set_loaded(live.clone(), self.key_lifetime(live));
            }
            return Ok(live.map(|live| live.state_with_principal(request::IDENTITY_KEY)));
        }
        let live = self.load_for_request(raw).await.map_err(|fault| LoadError::Other(noted(fault)))?;
        Ok(live.map(|live| live.state_with_principal(request::IDENTITY_KEY)))
    }

    async fn save(
        &self,
        state: HashMap<String, String>,
        _: &time::Duration,
    ) -> Result<SessionKey, SaveError> {
        if let Some(key) = request::take_issued_key() {
            let (_, state) = split(state).map_err(SaveError::Other)?;
            if state != SessionState::default() {
                self.put(key.hash(), state).await.map_err(SaveError::Other)?;
            }
            return key.into_session_key();
        }
        if request::is_lost() {
            // The session to be renewed was revoked meanwhile: issue a key that opens no session.
            return Key::generate().map_err(|error| SaveError::Other(error.into()))?.into_session_key();
        }
        let (principal, state) = split(state).map_err(SaveError::Other)?;
        let Some(principal) = principal else {
            return Err(SaveError::Other(anyhow::anyhow!("a session without a principal is not stored")));
        };
        let store = self.clone();
        let key = self
            .write(move |tx| {
                let (key, _) = store.open(tx, &NewSession::new(principal, "external"))?;
                queries::set_state(tx, O::KIND, &key.hash(), &state)?;
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
        let new_key = request::take_issued_key();
        let Some(key) = new_key.as_ref().map(Key::hash).or_else(|| KeyHash::of(session_key.as_ref())) else {
            return Ok(session_key);
        };
        let (principal, state) = split(state).map_err(UpdateError::Other)?;
        let unchanged = || request::loaded::<O>().is_some_and(|live| live.record.state == state);
        if principal.is_none() {
            // `load` put it there: removing it, as `Session::clear` does, logs the user out.
            self.end_by_key(key).await.map_err(UpdateError::Other)?;
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
        let Policy { idle, absolute, remembered_idle, remembered_absolute, .. } = self.policy;
        self.db
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
        if request::is_ended() {
            return Ok(());
        }
        let Some(key) = KeyHash::of(session_key.as_ref()) else { return Ok(()) };
        let ended = self.end_by_key(key).await?;
        if ended == 0 {
            request::note_lost();
        }
        Ok(())
    }
}

/// Separates the entries that have a column from the rest of the map.
fn split(mut map: HashMap<String, String>) -> Result<(Option<Principal>, SessionState), anyhow::Error> {
    let principal = match map.remove(request::IDENTITY_KEY) {
        Some(json) => Some(Principal(serde_json::from_str(&json)?)),
        None => None,
    };
    Ok((principal, SessionState::new(map)?))
}

fn noted(fault: Fault) -> anyhow::Error {
    request::note_fault(&fault);
    fault.into()
}
