//! The steps of a run: what a visitor can do to the subject, and what either side does for it.

use std::time::Duration;

use uuid::Uuid;

use super::jwt::Algorithm;
use super::limits::MAX_STEPS;
use super::{ClientInfo, CredentialSet, Credentials, DenyList, Holder, Lab, Outcome, Run, queries};
use crate::db::{Fault, Refusable as _};
use latchkey_sessions::SessionTx;

/// What a visitor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Checks the credentials again and changes nothing.
    Ask,
    LogIn,
    LogOut,
    LogOutEverywhere,
    /// Member to administrator, or back.
    ChangeRole,
    /// Disables the subject, or enables it again.
    Disable,
    /// Copies the browser's credentials, as a thief would.
    Copy,
    Refresh,
    /// Refreshes with the copy.
    RefreshCopy,
    Wait(Duration),
    Restart,
    RotateKey {
        keep_old: bool,
    },
    /// Adds a second service that trusts the first, or removes it.
    Split,
    /// Breaks into the second service and makes credentials from its data.
    Forge,
    ChangeAlgorithm,
    SetDenyList(DenyList),
}

/// How much time a visitor can let pass: past an access token, past an idle session, past every limit.
const WAITS: [(&str, Duration); 3] = [
    ("6-minutes", Duration::from_secs(360)),
    ("25-hours", Duration::from_secs(25 * 3600)),
    ("8-days", Duration::from_secs(8 * 86_400)),
];

impl Step {
    /// From the path and the only field of its form.
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
            ("copy-refresh", _) => Self::RefreshCopy,
            ("wait", value) => Self::Wait(WAITS.iter().find(|(name, _)| *name == value)?.1),
            ("restart", _) => Self::Restart,
            ("signing-key", "keep") => Self::RotateKey { keep_old: true },
            ("signing-key", "drop") => Self::RotateKey { keep_old: false },
            ("split", _) => Self::Split,
            ("forge", _) => Self::Forge,
            ("algorithm", _) => Self::ChangeAlgorithm,
            ("deny-list", value) => Self::SetDenyList(DenyList::parse(value)?),
            _ => return None,
        })
    }
}

impl Step {
    /// Whether it changes what a lookup of a session finds, so that live connections are looked up again.
    fn changes_sessions(self) -> bool {
        matches!(
            self,
            Self::LogOut | Self::LogOutEverywhere | Self::ChangeRole | Self::Disable | Self::Wait(_)
        )
    }
}

/// The result of a step.
pub enum StepResult {
    /// The step was taken; these are the credentials from now on.
    Done(Credentials),
    /// The run is over, or has reached its limit of steps.
    RunOver,
}

impl Lab {
    /// Takes one step with the credentials that came with the request.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the step was not taken then.
    pub async fn take(
        &self,
        run: Uuid,
        step: Step,
        mut credentials: Credentials,
        client: ClientInfo,
    ) -> Result<StepResult, Fault> {
        let lab = self.clone();
        self.product
            .write(move |change| {
                let Some(mut run) = queries::lock(change, run)?.filter(|run| run.step_count < MAX_STEPS)
                else {
                    return Ok(StepResult::RunOver);
                };
                if step.changes_sessions() {
                    change.invalidates();
                }
                let outcome = lab.perform(change, &mut run, &mut credentials, &client, step)?;
                queries::save(change, &run)?;
                queries::append_to_history(change, &run, outcome)?;
                Ok(StepResult::Done(credentials))
            })
            .await
    }

    fn perform(
        &self,
        change: &mut SessionTx<'_>,
        run: &mut Run,
        credentials: &mut Credentials,
        client: &ClientInfo,
        step: Step,
    ) -> Result<Outcome, Fault> {
        Ok(match step {
            Step::Ask => Outcome::Asked,
            Step::LogIn if run.disabled_at.is_some() => Outcome::LoginRefused,
            Step::LogIn => {
                credentials.browser = self.log_in(change, run, client)?;
                Outcome::LoggedIn
            }
            Step::LogOut => self.log_out(change, run, credentials)?,
            Step::LogOutEverywhere => Outcome::LoggedOutEverywhere {
                sessions: self.sessions.revoke_all(change, run.principal(), None)?,
                access_tokens: self.deny(change, run, None, true)?,
                deny_list: run.deny_list,
            },
            Step::ChangeRole => {
                run.role = run.role.other();
                let access_tokens_denied = self.deny(change, run, None, false)?;
                Outcome::RoleChanged { role: run.role, access_tokens_denied }
            }
            Step::Disable if run.disabled_at.is_some() => {
                run.disabled_at = None;
                Outcome::Enabled
            }
            Step::Disable => {
                run.disabled_at = Some(run.now);
                Outcome::Disabled { access_tokens_denied: self.deny(change, run, None, false)? }
            }
            Step::Copy if credentials.browser.is_empty() => Outcome::NothingToCopy,
            Step::Copy => {
                credentials.copy = Some(credentials.browser.clone());
                Outcome::Copied
            }
            Step::Refresh => self.refresh_with(change, run, Holder::Browser, &mut credentials.browser)?,
            Step::RefreshCopy => match &mut credentials.copy {
                Some(copy) => self.refresh_with(change, run, Holder::Thief, copy)?,
                None => Outcome::NoCopy,
            },
            Step::Wait(by) => {
                queries::age(change, run.id, by)?;
                run.ahead = run.ahead.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
                Outcome::time_passed(by)
            }
            Step::Restart => {
                let lost = self.memory_deny_list.count(run.id);
                self.memory_deny_list.clear(run.id);
                let in_use = run.deny_list == DenyList::Memory;
                Outcome::Restarted { denied_tokens_lost: if in_use { lost } else { 0 } }
            }
            Step::RotateKey { keep_old } => {
                run.rotate_key(keep_old);
                Outcome::KeyRotated { old_keys_accepted: keep_old }
            }
            Step::Split => {
                run.split = !run.split;
                match run.split {
                    true => Outcome::ServiceAdded { algorithm: run.algorithm },
                    false => Outcome::ServiceRemoved,
                }
            }
            Step::Forge => self.forge(change, run, credentials)?,
            Step::ChangeAlgorithm => {
                run.algorithm = match run.algorithm {
                    Algorithm::EdDsa => Algorithm::Hs256,
                    Algorithm::Hs256 => Algorithm::EdDsa,
                };
                Outcome::AlgorithmChanged { algorithm: run.algorithm }
            }
            Step::SetDenyList(deny_list) => {
                run.deny_list = deny_list;
                Outcome::DenyListChanged { deny_list }
            }
        })
    }

    fn log_out(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        credentials: &mut Credentials,
    ) -> Result<Outcome, Fault> {
        let set = std::mem::take(&mut credentials.browser);
        if set.is_empty() {
            return Ok(Outcome::LoggedOutAlready);
        }
        let sessions = match set.session.as_deref().and_then(|cookie| self.verified_key(cookie)) {
            Some(key) => queries::revoke_session(change, run.id, &key.hash())?,
            None => 0,
        };
        let family = self.family_of(change, run, set.refresh.as_deref())?;
        if family.is_some() {
            self.deny(change, run, family, true)?;
        }
        Ok(Outcome::LoggedOut {
            session_ended: sessions > 0,
            tokens_known: family.is_some(),
            deny_list: run.deny_list,
        })
    }

    fn refresh_with(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        by: Holder,
        set: &mut CredentialSet,
    ) -> Result<Outcome, Fault> {
        Ok(match self.refresh(change, run, set.refresh.as_deref(), true).split()? {
            Ok((access, refresh)) => {
                (set.access, set.refresh) = (Some(access), Some(refresh));
                Outcome::Refreshed { by }
            }
            Err(reason) => Outcome::RefreshRefused { by, reason },
        })
    }
}
