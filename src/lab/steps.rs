//! The steps of a run: what is done to the subject, and what either side has to do so that it counts.

use std::time::Duration;

use uuid::Uuid;

use super::run::Entry;
use super::{DenyList, Held, Lab, MOST_STEPS, Run, Service, Visit, queries};
use crate::db::Fault;
use crate::jwt::{self, Algorithm, Claims, Use};
use crate::sessions::{Change, Key};

/// A token that is asked for at every door: short, as its advocates advise (RFC 9700 §2.2.2 and common practice).
pub const ACCESS_LIFE: i64 = 5 * 60;

/// … and the one that fetches the next: as long as a session may live.
pub const REFRESH_LIFE: i64 = 7 * 86_400;

/// What a visitor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing but look again.
    Ask,
    LogIn,
    LogOut,
    LogOutEverywhere,
    /// Member to admin, or back.
    ChangeRole,
    /// Disable the subject, or enable it again.
    Disable,
    /// Copy what the browser holds, as a thief would.
    Copy,
    /// Fetch a new access token with the refresh token.
    Refresh,
    /// The thief does.
    CopyRefresh,
    Wait(Duration),
    Restart,
    /// A new signing key; the old one is still accepted, or not.
    NewKey {
        keep_old: bool,
    },
    /// A second service that trusts the first, or one again.
    Split,
    /// The second service is broken into: with what it has, make a credential.
    Forge,
    Algorithm,
    Deny(DenyList),
}

/// How long a visitor can let pass at once: past an access token, past an idle session, past everything.
const WAITS: [(&str, Duration); 3] = [
    ("6-minutes", Duration::from_secs(360)),
    ("25-hours", Duration::from_secs(25 * 3600)),
    ("8-days", Duration::from_secs(8 * 86_400)),
];

impl Step {
    /// From the path and the one field of its form.
    pub fn parse(name: &str, value: &str) -> Option<Self> {
        Some(match (name, value) {
            ("ask", _) => Self::Ask,
            ("log-in", _) => Self::LogIn,
            ("log-out", _) => Self::LogOut,
            ("log-out-everywhere", _) => Self::LogOutEverywhere,
            ("role", _) => Self::ChangeRole,
            ("disable", _) => Self::Disable,
            ("copy", _) => Self::Copy,
            ("refresh", _) => Self::Refresh,
            ("copy-refresh", _) => Self::CopyRefresh,
            ("wait", value) => Self::Wait(WAITS.iter().find(|(name, _)| *name == value)?.1),
            ("restart", _) => Self::Restart,
            ("signing-key", "keep") => Self::NewKey { keep_old: true },
            ("signing-key", "drop") => Self::NewKey { keep_old: false },
            ("split", _) => Self::Split,
            ("forge", _) => Self::Forge,
            ("algorithm", _) => Self::Algorithm,
            ("deny-list", value) => Self::Deny(DenyList::parse(value)?),
            _ => return None,
        })
    }
}

/// What came of a step.
pub enum Taken {
    /// What the browser, and whoever has the copy, hold from now on.
    Done { held: Held, copy: Option<Held> },
    /// The run is over, or has had its steps.
    Over,
}

/// What a step did on either side.
struct Told {
    step: String,
    session: String,
    token: String,
}

fn told(step: impl Into<String>, session: impl Into<String>, token: impl Into<String>) -> Told {
    Told { step: step.into(), session: session.into(), token: token.into() }
}

impl Told {
    fn at(self, run: &Run) -> Entry {
        let Self { step, session, token } = self;
        Entry { step, at: time::OffsetDateTime::from(run.now).unix_timestamp(), session, token }
    }
}

/// The first entry of a run.
pub fn began(run: &Run) -> Entry {
    told(
        "You opened a run. Its subject is logged in on both sides.",
        "One row is written. The browser gets 256 random bits.",
        "Two tokens are signed. The ids of both are written down, so that the refresh token works once.",
    )
    .at(run)
}

impl Lab {
    /// Takes one step. `held` is what the browser showed, `copy` what the thief has.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; nothing has happened then.
    pub async fn take(
        &self,
        run: Uuid,
        step: Step,
        held: Held,
        copy: Option<Held>,
        visit: Visit,
    ) -> Result<Taken, Fault> {
        // Asked before, because the door waits and a transaction must not.
        let forged = match step {
            Step::Forge => self.db.read(move |conn| queries::any_hash(conn, run)).await?,
            _ => None,
        };
        let lab = self.clone();
        self.db
            .write(move |conn| {
                let Some(mut run) = queries::lock(conn, run)?.filter(|run| run.step_count < MOST_STEPS)
                else {
                    return Ok(Taken::Over);
                };
                // Nobody serves lab sessions from memory, so nobody needs to be waited for.
                let mut change = Change::within(conn);
                let mut hands = Hands { held, copy, visit, forged };
                let told = lab.act(&mut change, &mut run, &mut hands, step)?;
                queries::save(&mut change, &run)?;
                queries::note(&mut change, &run, told.at(&run))?;
                Ok(Taken::Done { held: hands.held, copy: hands.copy })
            })
            .await
    }

    fn act(
        &self,
        change: &mut Change<'_>,
        run: &mut Run,
        hands: &mut Hands,
        step: Step,
    ) -> Result<Told, Fault> {
        Ok(match step {
            Step::Ask => told("You asked the guarded page.", "", ""),
            Step::LogIn if run.disabled_at.is_some() => {
                told("The subject tried to log in, disabled.", "Refused at log-in.", "Refused at log-in.")
            }
            Step::LogIn => {
                hands.held = self.log_in(change, run, &hands.visit)?;
                told("The subject logged in.", "One row is written.", "Two tokens are signed.")
            }
            Step::LogOut => self.log_out(change, run, hands)?,
            Step::LogOutEverywhere => self.log_out_everywhere(change, run)?,
            Step::ChangeRole => {
                run.role = run.role.other();
                told(
                    format!("The subject became {}.", run.role.as_str()),
                    "The role is read with the row: nothing else to do.",
                    "The token still says what it said when it was signed.",
                )
            }
            Step::Disable => {
                run.disabled_at = if run.disabled_at.is_some() { None } else { Some(run.now) };
                let (what, token) = match run.disabled_at {
                    Some(_) => (
                        "disabled",
                        "No new token is given out. Those that are out stay good until their time is over.",
                    ),
                    None => ("enabled again", "New tokens are given out again."),
                };
                told(
                    format!("The subject was {what}."),
                    "The row is found only while its subject may log in.",
                    token,
                )
            }
            Step::Copy => {
                hands.copy = Some(hands.held.clone());
                told(
                    "Somebody copied what the browser holds.",
                    "They hold the same key: the session cannot tell the two apart, until one of them is ended.",
                    "They hold the same tokens: neither can anybody tell these apart.",
                )
            }
            Step::Refresh => {
                let refreshed = self.refresh(change, run, hands.held.refresh.as_deref())?;
                take_over(&mut hands.held, refreshed, "The browser")
            }
            Step::CopyRefresh => {
                let mut copy = hands.copy.take().unwrap_or_default();
                let refreshed = self.refresh(change, run, copy.refresh.as_deref())?;
                let told = take_over(&mut copy, refreshed, "The thief");
                hands.copy = Some(copy);
                told
            }
            Step::Wait(by) => {
                queries::age(change, run.id, by)?;
                run.ahead = run.ahead.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
                told(
                    format!("{} went by.", in_words(by)),
                    "The row is as much older: the database compares it with its own clock.",
                    "The tokens are judged that much later: each service compares them with its own clock.",
                )
            }
            Step::Restart => {
                let forgot = self.memory.count(run.id);
                self.memory.forget(run.id);
                let token = match forgot {
                    0 => "Nothing was in memory. The signing key comes from the settings.".to_owned(),
                    count => format!("The deny-list was in memory: {count} denied tokens are good again."),
                };
                told(
                    "The shop's server was restarted.",
                    "Nothing was in memory that counts: the row is in the database.",
                    token,
                )
            }
            Step::NewKey { keep_old } => {
                run.signing_key += 1;
                if !keep_old {
                    run.oldest_key = run.signing_key;
                }
                // Each generation that is accepted is a key to prepare at each check.
                run.oldest_key = run.oldest_key.max(run.signing_key - 4);
                let token = if keep_old {
                    "Every service must know both keys until the last old token is over."
                } else {
                    "Every token signed with the old key is refused: everybody logs in anew."
                };
                told(
                    "The signing key was changed.",
                    "A session's key is random and signed by nobody: nothing to do.",
                    token,
                )
            }
            Step::Split => {
                run.split = !run.split;
                let (what, token) = match (run.split, run.algorithm) {
                    (false, _) => ("There is one service again.", ""),
                    (true, Algorithm::EdDsa) => (
                        "A second service, the desk, opened beside the shop.",
                        "It gets the public key, and needs no database. Tokens from now on name both services as audience.",
                    ),
                    (true, Algorithm::Hs256) => (
                        "A second service, the desk, opened beside the shop.",
                        "It gets the secret that signs, because the same secret checks. Tokens from now on name both services as audience.",
                    ),
                };
                told(
                    what,
                    if run.split { "It asks the same table, so it needs a way to it." } else { "" },
                    token,
                )
            }
            Step::Forge => self.forge(run, hands)?,
            Step::Algorithm => {
                run.algorithm = match run.algorithm {
                    Algorithm::EdDsa => Algorithm::Hs256,
                    Algorithm::Hs256 => Algorithm::EdDsa,
                };
                told(
                    format!("Tokens are signed with {} from now on.", run.algorithm.name()),
                    "",
                    "The doors take this algorithm and no other: tokens of the other are refused (RFC 8725 §3.1).",
                )
            }
            Step::Deny(list) => {
                run.deny_list = list;
                let token = match list {
                    DenyList::None => "A token that is out is good until its time is over.",
                    DenyList::Memory => {
                        "What is denied is kept in the shop's memory: quick, and gone with a restart."
                    }
                    DenyList::Database => {
                        "What is denied is kept in the database, and every check asks it: one read, as with a session."
                    }
                };
                told("The deny-list was changed.", "", token)
            }
        })
    }

    fn log_out(&self, change: &mut Change<'_>, run: &Run, hands: &mut Hands) -> Result<Told, Fault> {
        let held = std::mem::take(&mut hands.held);
        let ended = match held.session.as_deref().and_then(Key::parse) {
            Some(key) => queries::end(change, run.id, &key.hash())?,
            None => 0,
        };
        let family = self.family(change, run, held.refresh.as_deref())?;
        let access = match family {
            Some(family) => queries::deny(change, run.id, Some(family), run.deny_list == DenyList::Database)?,
            None => Vec::new(),
        };
        self.remember(run, access);
        Ok(told(
            "The subject logged out.",
            if ended > 0 {
                "The row is ended, and the browser forgets the key."
            } else {
                "There was no live session to end."
            },
            match run.deny_list {
                DenyList::None => {
                    "The browser forgets both tokens and the refresh token is denied. The access token cannot be: a copy of it stays good until its time is over."
                }
                DenyList::Memory => {
                    "The browser forgets both tokens, the refresh token is denied, and the shop remembers the id of the access token."
                }
                DenyList::Database => {
                    "The browser forgets both tokens, and the ids of both are on the deny-list."
                }
            },
        ))
    }

    fn log_out_everywhere(&self, change: &mut Change<'_>, run: &Run) -> Result<Told, Fault> {
        let ended = self.sessions.revoke_all(change, run.principal(), None)?;
        let access = queries::deny(change, run.id, None, run.deny_list == DenyList::Database)?;
        let known = access.len();
        self.remember(run, access);
        Ok(told(
            "The subject was logged out everywhere.",
            format!("Live rows of this principal ended: {ended}. One statement."),
            match run.deny_list {
                DenyList::None => "Every refresh token is denied. Access tokens that are out stay good until their time is over.".to_owned(),
                DenyList::Memory | DenyList::Database => {
                    format!("Every refresh token is denied, and so are {known} access tokens: possible because each had been written down when it was signed.")
                }
            },
        ))
    }

    fn remember(&self, run: &Run, tokens: Vec<Uuid>) {
        if run.deny_list == DenyList::Memory {
            self.memory.deny(run.id, tokens);
        }
    }

    // ---- tokens ----

    /// Signs a pair and writes down that it is out.
    pub(super) fn issue(
        &self,
        change: &mut Change<'_>,
        run: &Run,
        family: Uuid,
    ) -> Result<(String, String), Fault> {
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
    ) -> Result<Result<(String, String), String>, Fault> {
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
    fn family(&self, change: &mut Change<'_>, run: &Run, token: Option<&str>) -> Result<Option<Uuid>, Fault> {
        let verifier = run.verifier(&self.secret, Service::Shop);
        let claims = token.and_then(|token| verifier.verify(Use::Refresh, token, run.token_time()).ok());
        match claims.and_then(|claims| claims.jti.parse().ok()) {
            Some(jti) => Ok(queries::token(change, run.id, jti)?.map(|(family, ..)| family)),
            None => Ok(None),
        }
    }

    /// Whoever broke into the desk tries to be an administrator at the shop, with what the desk has.
    fn forge(&self, run: &Run, hands: &mut Hands) -> Result<Told, Fault> {
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

/// What the people of a run have in their hands.
struct Hands {
    held: Held,
    copy: Option<Held>,
    visit: Visit,
    /// A hash out of the table.
    forged: Option<Vec<u8>>,
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

fn take_over(held: &mut Held, refreshed: Result<(String, String), String>, who: &str) -> Told {
    match refreshed {
        Ok((access, refresh)) => {
            (held.access, held.refresh) = (Some(access), Some(refresh));
            told(
                format!("{who} used the refresh token."),
                "Nothing to do: a session that is used goes on by itself.",
                "It was looked up, used up, and a new pair was signed: three writes.",
            )
        }
        Err(why) => {
            told(format!("{who} tried to use a refresh token."), "Nothing to do.", format!("Refused: {why}."))
        }
    }
}

fn in_words(span: Duration) -> String {
    match span.as_secs() {
        s if s < 3600 => format!("{} minutes", s / 60),
        s if s < 2 * 86_400 => format!("{} hours", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}
