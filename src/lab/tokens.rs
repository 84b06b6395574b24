//! The token side of a run: signing, refreshing and denying, as current best practice asks for.

use uuid::Uuid;

use super::jwt::{self, Claims, TokenUse};
use super::{CredentialSet, Credentials, DenyList, Lab, Outcome, RefreshRefusal, Run, Service, queries};
use crate::db::{Failed, Fault, refuse};
use crate::secret;
use latchkey_sessions::SessionTx;

/// Seconds for which an access token is valid: a few minutes, as best practice advises.
pub const ACCESS_TOKEN_LIFE: i64 = 5 * 60;

/// Seconds for which a refresh token is valid: as long as a session may live.
pub const REFRESH_TOKEN_LIFE: i64 = 7 * 86_400;

/// A pair just signed: access token and refresh token.
pub type TokenPair = (String, String);

impl Lab {
    /// Denies the issued tokens of one family, or of the whole run: access tokens if there is a deny-list, refresh
    /// tokens if `refresh_too`. Returns how many access tokens it denied.
    pub(super) fn deny(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        family: Option<Uuid>,
        refresh_too: bool,
    ) -> Result<usize, Fault> {
        let uses = match (refresh_too, run.deny_list == DenyList::Database) {
            (true, true) => &[TokenUse::Access, TokenUse::Refresh][..],
            (true, false) => &[TokenUse::Refresh],
            (false, true) => &[TokenUse::Access],
            (false, false) => &[],
        };
        let mut access = queries::deny(change, run.id, family, uses)?;
        match run.deny_list {
            DenyList::None => return Ok(0),
            DenyList::Memory => {
                access.retain(|token| !self.memory_deny_list.denies(run.id, *token));
                self.memory_deny_list.deny(run.id, access.iter().copied());
            }
            DenyList::Database => {}
        }
        Ok(access.len())
    }

    /// Signs a pair and records the ids of both, because a deny-list that is set up later can only name recorded ids.
    pub(super) fn issue(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        family: Uuid,
    ) -> Result<TokenPair, Fault> {
        self.issue_recording(change, run, family, true)
    }

    /// Signs a pair. The id of the refresh token is always recorded; that of the access token only if `access_too`,
    /// which issuers with a deny-list need.
    pub(super) fn issue_recording(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        family: Uuid,
        access_too: bool,
    ) -> Result<TokenPair, Fault> {
        let (access, refresh) = (Uuid::new_v4(), Uuid::new_v4());
        let recorded = [(refresh, TokenUse::Refresh), (access, TokenUse::Access)];
        queries::record_issued(change, run.id, family, if access_too { &recorded } else { &recorded[..1] })?;
        let key = run.signing_key(&self.secret, run.signing_key);
        let sign = |use_, jti: Uuid, life| jwt::sign(&key, use_, &claims(run, jti, life)).map_err(Fault::bug);
        Ok((
            sign(TokenUse::Access, access, ACCESS_TOKEN_LIFE)?,
            sign(TokenUse::Refresh, refresh, REFRESH_TOKEN_LIFE)?,
        ))
    }

    /// Exchanges a refresh token for a new pair. A second use denies the whole family, because one of the two users
    /// must have stolen the token (RFC 9700 §4.14.2).
    pub(super) fn refresh(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        token: Option<&str>,
        access_too: bool,
    ) -> Result<TokenPair, Failed<RefreshRefusal>> {
        let Some(token) = token else { return refuse(RefreshRefusal::Missing) };
        let verifier = run.verifier(&self.secret, Service::Shop);
        let claims = verifier
            .verify(TokenUse::Refresh, token, run.token_time())
            .map_err(|refusal| Failed::Refused(RefreshRefusal::Invalid { refusal }))?;
        let Ok(jti) = claims.jti.parse() else { return refuse(RefreshRefusal::Unknown) };
        let Some((family, used, denied)) = queries::token(change, run.id, jti)? else {
            return refuse(RefreshRefusal::Unknown);
        };
        if used.is_some() {
            self.deny(change, run, Some(family), true)?;
            return refuse(RefreshRefusal::Reused { deny_list: run.deny_list });
        }
        if denied.is_some() {
            return refuse(RefreshRefusal::Denied);
        }
        if run.disabled_at.is_some() {
            return refuse(RefreshRefusal::SubjectDisabled);
        }
        queries::mark_used(change, jti)?;
        Ok(self.issue_recording(change, run, family, access_too)?)
    }

    /// The family of a refresh token that this run has issued. Neither its signature nor its expiry matters: a token
    /// that is handed in to be revoked must only be known (RFC 7009 §2.1).
    pub(super) fn family_of(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        token: Option<&str>,
    ) -> Result<Option<Uuid>, Fault> {
        let readable = token.and_then(jwt::read);
        let payload = readable.and_then(|readable| serde_json::from_str::<Claims>(&readable.payload).ok());
        match payload.and_then(|claims| claims.jti.parse().ok()) {
            Some(jti) => Ok(queries::token(change, run.id, jti)?.map(|(family, ..)| family)),
            None => Ok(None),
        }
    }

    /// The desk is broken into: the thief tries to become an administrator of the shop with the data of the desk.
    pub(super) fn forge(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        credentials: &mut Credentials,
    ) -> Result<Outcome, Fault> {
        if !run.split {
            return Ok(Outcome::NoSecondService);
        }
        let key = run.verification_key(&self.secret, Service::Desk, run.signing_key);
        let admin = Claims { role: "admin".into(), ..claims(run, Uuid::new_v4(), ACCESS_TOKEN_LIFE) };
        let access = jwt::sign(&key, TokenUse::Access, &admin).ok();
        let token_signed = access.is_some();
        // The thief presents a stored hash as if it were a key. The lookup hashes it again and finds no row.
        let hash = queries::newest_key_hash(change, run.id)?;
        let session = hash.map(|hash| self.signer.sign(&secret::encode(&hash)));
        credentials.copy = Some(CredentialSet { session, access, refresh: None });
        Ok(Outcome::Forged { token_signed })
    }
}

fn claims(run: &Run, jti: Uuid, life: i64) -> Claims {
    let now = run.token_time();
    Claims {
        iss: run.issuer().to_owned(),
        aud: run.audience(),
        sub: run.id.to_string(),
        iat: now,
        exp: now + life,
        jti: jti.to_string(),
        role: run.role.as_str().to_owned(),
    }
}
