//! The steps of a run: what is done to the subject, and what either side has to do so that it counts.

use std::time::Duration;

use uuid::Uuid;

use super::run::Entry;
use super::tokens::take_over;
use super::{DenyList, Held, Lab, MOST_STEPS, Run, Visit, queries};
use crate::db::Fault;
use crate::jwt::Algorithm;
use latchkey_sessions::SessionTx;

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
pub(super) struct Told {
    step: String,
    session: String,
    token: String,
}

pub(super) fn told(step: impl Into<String>, session: impl Into<String>, token: impl Into<String>) -> Told {
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
        "Two tokens are signed. The id of the refresh token is written down so that it works once; that of the access token for a deny-list, should you set one up.",
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
        let lab = self.clone();
        self.sessions
            .write(move |change| {
                let Some(mut run) = queries::lock(change, run)?.filter(|run| run.step_count < MOST_STEPS)
                else {
                    return Ok(Taken::Over);
                };
                let mut hands = Hands { held, copy, visit };
                let told = lab.act(change, &mut run, &mut hands, step)?;
                queries::save(change, &run)?;
                queries::note(change, &run, told.at(&run))?;
                Ok(Taken::Done { held: hands.held, copy: hands.copy })
            })
            .await
    }

    fn act(
        &self,
        change: &mut SessionTx<'_>,
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
                let token = match self.deny(change, run, None, false)? {
                    0 => "The token still says what it said when it was signed.",
                    _ => {
                        "Access tokens that are out are denied; the refresh token fetches one with the new role."
                    }
                };
                told(
                    format!("The subject became {}.", run.role.as_str()),
                    "The role is read with the row: nothing else to do.",
                    token,
                )
            }
            Step::Disable => {
                run.disabled_at = if run.disabled_at.is_some() { None } else { Some(run.now) };
                let (what, token) = match run.disabled_at {
                    None => ("enabled again", "New tokens are given out again."),
                    Some(_) if self.deny(change, run, None, false)? > 0 => {
                        ("disabled", "No new token is given out, and those that are out are denied.")
                    }
                    Some(_) => (
                        "disabled",
                        "No new token is given out. Those that are out stay good until their time is over.",
                    ),
                };
                told(
                    format!("The subject was {what}."),
                    "The row is found only while its subject may log in.",
                    token,
                )
            }
            Step::Copy if hands.held.is_empty() => {
                told("There was nothing to copy: the browser holds nothing.", "", "")
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
                let refreshed = self.refresh(change, run, hands.held.refresh.as_deref(), true)?;
                take_over(&mut hands.held, refreshed, "The browser")
            }
            Step::CopyRefresh => {
                let Some(mut copy) = hands.copy.take() else {
                    return Ok(told("There is no thief yet.", "", ""));
                };
                let refreshed = self.refresh(change, run, copy.refresh.as_deref(), true)?;
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
                    _ if run.deny_list != DenyList::Memory => {
                        "Nothing was in memory. The signing key comes from the settings.".to_owned()
                    }
                    0 => "Nothing was in memory. The signing key comes from the settings.".to_owned(),
                    count => format!(
                        "The deny-list was in memory and is empty again: tokens denied until now, {count}."
                    ),
                };
                told(
                    "The shop's server was restarted.",
                    "Nothing was in memory that counts: the row is in the database.",
                    token,
                )
            }
            Step::NewKey { keep_old } => {
                // Where a newer one is in use already, dropping the old is all that is left to do.
                if keep_old || run.oldest_key == run.signing_key {
                    run.signing_key += 1;
                }
                if !keep_old {
                    run.oldest_key = run.signing_key;
                }
                // Each generation that is accepted is a key to prepare at each check.
                run.oldest_key = run.oldest_key.max(run.signing_key - 4);
                let token = if keep_old {
                    "Every service must know old and new until the last old token is over; here, the last five keys."
                } else {
                    "Every token signed with an old key is refused: whoever has no newer one logs in anew."
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
            Step::Forge => self.forge(change, run, hands)?,
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

    fn log_out(&self, change: &mut SessionTx<'_>, run: &Run, hands: &mut Hands) -> Result<Told, Fault> {
        let held = std::mem::take(&mut hands.held);
        if held.is_empty() {
            return Ok(told("The subject was logged out already.", "", ""));
        }
        let ended = match held.session.as_deref().and_then(|cookie| self.key_in(cookie)) {
            Some(key) => queries::end(change, run.id, &key.hash())?,
            None => 0,
        };
        let family = self.family(change, run, held.refresh.as_deref())?;
        let known = family.is_some();
        if known {
            self.deny(change, run, family, true)?;
        }
        Ok(told(
            "The subject logged out.",
            if ended > 0 {
                "The row is ended, and the browser forgets the key."
            } else {
                "There was no live session to end."
            },
            match run.deny_list {
                _ if !known => "The browser forgets both tokens; nobody here knows them.",
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

    fn log_out_everywhere(&self, change: &mut SessionTx<'_>, run: &Run) -> Result<Told, Fault> {
        let ended = self.sessions.revoke_all(change, run.principal(), None)?;
        let known = self.deny(change, run, None, true)?;
        Ok(told(
            "The subject was logged out everywhere.",
            format!("Live rows of this principal ended: {ended}. One statement."),
            match run.deny_list {
                DenyList::None => "Every refresh token is denied. Access tokens that are out stay good until their time is over.".to_owned(),
                DenyList::Memory | DenyList::Database => {
                    format!("Every refresh token is denied, and every access token that was written down when it was signed: {known}. A line per person, “nothing signed before now”, would do as well; that too is asked at each check.")
                }
            },
        ))
    }
}

/// What the people of a run have in their hands.
pub(super) struct Hands {
    pub held: Held,
    pub copy: Option<Held>,
    visit: Visit,
}

fn in_words(span: Duration) -> String {
    match span.as_secs() {
        s if s < 3600 => format!("{} minutes", s / 60),
        s if s < 2 * 86_400 => format!("{} hours", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}
