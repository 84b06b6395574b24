//! The token side of a run: signing, refreshing, denying, as the advocates of tokens would have it.

use uuid::Uuid;

use super::steps::{Hands, Told, told};
use super::{DenyList, Held, Lab, Run, Service, queries};
use crate::db::Fault;
use crate::jwt::{self, Claims, Use};
use latchkey_sessions::SessionTx;

/// A token that is asked for at every door: short, as its advocates advise.
pub const ACCESS_LIFE: i64 = 5 * 60;

/// … and the one that fetches the next: as long as a session may live.
pub const REFRESH_LIFE: i64 = 7 * 86_400;

/// A pair just signed: access and refresh.
pub type Pair = (String, String);

impl Lab {
    /// Denies what is out, of one family or of the whole run: refresh tokens if they are meant as well, access tokens
    /// where there is a list that is asked about them. Answers how many access tokens those were.
    pub(super) fn deny(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        family: Option<Uuid>,
        refresh_too: bool,
    ) -> Result<usize, Fault> {
        let kinds = match (refresh_too, run.deny_list == DenyList::Database) {
            (true, true) => &[Use::Access, Use::Refresh][..],
            (true, false) => &[Use::Refresh],
            (false, true) => &[Use::Access],
            (false, false) => &[],
        };
        let mut access = queries::deny(change, run.id, family, kinds)?;
        match run.deny_list {
            DenyList::None => return Ok(0),
            DenyList::Memory => {
                access.retain(|token| !self.memory.denies(run.id, *token));
                self.memory.deny(run.id, access.iter().copied());
            }
            DenyList::Database => {}
        }
        Ok(access.len())
    }

    /// Signs a pair and writes down that it is out: both, because a deny-list may be set up later in the run and can
    /// only name what is known.
    pub(super) fn issue(&self, change: &mut SessionTx<'_>, run: &Run, family: Uuid) -> Result<Pair, Fault> {
        self.issue_noting(change, run, family, true)
    }

    /// The same; the id of the access token is written down only for whoever has a deny-list.
    pub(super) fn issue_noting(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        family: Uuid,
        access_too: bool,
    ) -> Result<Pair, Fault> {
        let (access, refresh) = (Uuid::new_v4(), Uuid::new_v4());
        let noted = [(refresh, Use::Refresh), (access, Use::Access)];
        queries::issued(change, run.id, family, if access_too { &noted } else { &noted[..1] })?;
        let key = run.key(&self.secret, run.signing_key);
        let sign = |use_, jti: Uuid, life| jwt::sign(&key, use_, &claims(run, jti, life)).map_err(Fault::bug);
        Ok((sign(Use::Access, access, ACCESS_LIFE)?, sign(Use::Refresh, refresh, REFRESH_LIFE)?))
    }

    /// A new pair for a refresh token that is used for the first time. One that is used again ends its whole family,
    /// because one of the two who had it was no owner (RFC 9700 §4.14.2). `Err` says why there is none.
    pub(super) fn refresh(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        token: Option<&str>,
        access_too: bool,
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
            self.deny(change, run, Some(family), true)?;
            let rest = match run.deny_list {
                DenyList::None => "refresh token that came of it is denied; access tokens end by themselves",
                _ => "token that came of it is denied",
            };
            return Ok(Err(format!("that refresh token was used before, so every {rest}")));
        }
        if denied.is_some() {
            return Ok(Err("that refresh token is denied".into()));
        }
        if run.disabled_at.is_some() {
            return Ok(Err("the subject is disabled".into()));
        }
        queries::use_up(change, jti)?;
        self.issue_noting(change, run, family, access_too).map(Ok)
    }

    /// The family of a refresh token that this run has issued, whatever key signed it and whether or not its time is
    /// over: who hands one in to be denied need not be believed (RFC 7009 §2.1), only known.
    pub(super) fn family(
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

    /// Whoever broke into the desk tries to be an administrator at the shop, with what the desk has.
    pub(super) fn forge(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        hands: &mut Hands,
    ) -> Result<Told, Fault> {
        if !run.split {
            return Ok(told("There is no desk to break into.", "", ""));
        }
        let key = run.key_of(&self.secret, Service::Desk, run.signing_key);
        let admin = Claims { role: "admin".into(), ..claims(run, Uuid::new_v4(), ACCESS_LIFE) };
        let forged = jwt::sign(&key, Use::Access, &admin).ok();
        let token = match &forged {
            Some(_) => "The desk holds the secret, so it signs what it likes: a token that says admin.",
            None => "The desk holds the public key only: it cannot sign.",
        };
        // The key would be what hashes to this; the hash itself is another text.
        let hash = queries::any_hash(change, run.id)?;
        let session = hash.map(|hash| self.signer.sign(&crate::secret::encode(&hash)));
        hands.copy = Some(Held { session, access: forged, refresh: None });
        Ok(told(
            "The desk was broken into, and the thief made the best of what it has.",
            "The table holds hashes. The thief shows one as if it were a key. Had the desk been given more than reading, a row of their own would have done: so it is not.",
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

/// What came of refreshing, in the hands of whoever did.
pub(super) fn take_over(held: &mut Held, refreshed: Result<Pair, String>, who: &str) -> Told {
    match refreshed {
        Ok((access, refresh)) => {
            (held.access, held.refresh) = (Some(access), Some(refresh));
            told(
                format!("{who} used the refresh token."),
                "Nothing to do: a session that is used goes on by itself.",
                "It was looked up, used up, and a new pair was signed and noted.",
            )
        }
        Err(why) => {
            told(format!("{who} tried to use a refresh token."), "Nothing to do.", format!("Refused: {why}."))
        }
    }
}
