//! The token side of a run: signing, refreshing, denying, as the advocates of tokens would have it.

use uuid::Uuid;

use super::steps::{Hands, Told, told};
use super::{DenyList, Held, Lab, Run, Service, queries};
use crate::db::Fault;
use crate::jwt::{self, Claims, Use};
use crate::sessions::Change;

/// A token that is asked for at every door: short, as its advocates advise.
pub const ACCESS_LIFE: i64 = 5 * 60;

/// … and the one that fetches the next: as long as a session may live.
pub const REFRESH_LIFE: i64 = 7 * 86_400;

/// A pair just signed: access and refresh.
pub type Pair = (String, String);

impl Lab {
    /// Keeps denied tokens in the shop's memory, where the deny-list is there.
    pub(super) fn remember(&self, run: &Run, tokens: Vec<Uuid>) {
        if run.deny_list == DenyList::Memory {
            self.memory.deny(run.id, tokens);
        }
    }

    /// Signs a pair and writes down that it is out.
    pub(super) fn issue(&self, change: &mut Change<'_>, run: &Run, family: Uuid) -> Result<Pair, Fault> {
        let (access, refresh) = (Uuid::new_v4(), Uuid::new_v4());
        queries::issued(change, run.id, family, &[(access, Use::Access), (refresh, Use::Refresh)])?;
        let key = run.key(&self.secret, run.signing_key);
        let sign = |use_, jti: Uuid, life| jwt::sign(&key, use_, &claims(run, jti, life)).map_err(Fault::bug);
        Ok((sign(Use::Access, access, ACCESS_LIFE)?, sign(Use::Refresh, refresh, REFRESH_LIFE)?))
    }

    /// A new pair for a refresh token that is used for the first time. One that is used again ends its whole family,
    /// because one of the two who had it was no owner (RFC 9700 §4.14.2). `Err` says why there is none.
    pub(super) fn refresh(
        &self,
        change: &mut Change<'_>,
        run: &Run,
        token: Option<&str>,
    ) -> Result<Result<Pair, String>, Fault> {
        let Some(token) = token else { return Ok(Err("there is no refresh token".into())) };
        let verifier = run.verifier(&self.secret, Service::Shop);
        let claims = match verifier.verify(Use::Refresh, token, run.token_time()) {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal.to_string())),
        };
        let Ok(jti) = claims.jti.parse() else { return Ok(Err("the token has no id".into())) };
        let Some((family, used, denied)) = queries::token(change, run.id, jti)? else {
            return Ok(Err("nobody has issued that token".into()));
        };
        if used.is_some() {
            let access = queries::deny(change, run.id, Some(family), run.deny_list == DenyList::Database)?;
            self.remember(run, access);
            return Ok(Err(
                "that refresh token was used before, so every token that came of it is denied".into()
            ));
        }
        if denied.is_some() {
            return Ok(Err("that refresh token is denied".into()));
        }
        if run.disabled_at.is_some() {
            return Ok(Err("the subject is disabled".into()));
        }
        queries::use_up(change, jti)?;
        self.issue(change, run, family).map(Ok)
    }

    /// The family of a refresh token, whether or not its time is over.
    pub(super) fn family(
        &self,
        change: &mut Change<'_>,
        run: &Run,
        token: Option<&str>,
    ) -> Result<Option<Uuid>, Fault> {
        let verifier = run.verifier(&self.secret, Service::Shop);
        let claims = token.and_then(|token| verifier.verify(Use::Refresh, token, run.token_time()).ok());
        match claims.and_then(|claims| claims.jti.parse().ok()) {
            Some(jti) => Ok(queries::token(change, run.id, jti)?.map(|(family, ..)| family)),
            None => Ok(None),
        }
    }

    /// Whoever broke into the desk tries to be an administrator at the shop, with what the desk has.
    pub(super) fn forge(&self, run: &Run, hands: &mut Hands) -> Result<Told, Fault> {
        let key = run.key_of(&self.secret, Service::Desk, run.signing_key);
        let admin = Claims { role: "admin".into(), ..claims(run, Uuid::new_v4(), ACCESS_LIFE) };
        let forged = jwt::sign(&key, Use::Access, &admin).ok();
        let token = match &forged {
            Some(_) => "The desk holds the secret, so it signs what it likes: a token that says admin.",
            None => "The desk holds the public key only: it cannot sign.",
        };
        // The key would be what hashes to this; the hash itself is another text.
        let session = hands.forged.take().map(|hash| crate::secret::encode(&hash));
        hands.copy = Some(Held { session, access: forged, refresh: None });
        Ok(told(
            "The desk was broken into, and the thief made the best of what it has.",
            "The table holds hashes. The thief shows one as if it were a key.",
            token,
        ))
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
