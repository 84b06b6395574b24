//! What a step did, as data: `web` words it. Stored with the run, so that the page can show its history.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::jwt::{self, Algorithm};
use super::{DenyList, Holder, SubjectRole};

/// A step that was taken, and what either side did for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// The run began, and its subject was logged in on both sides.
    Opened,
    Asked,
    LoggedIn,
    /// The subject is disabled.
    LoginRefused,
    LoggedOut {
        session_ended: bool,
        /// The refresh token was issued in this run, so its family is denied.
        tokens_known: bool,
        deny_list: DenyList,
    },
    LoggedOutAlready,
    LoggedOutEverywhere {
        sessions: usize,
        access_tokens: usize,
        deny_list: DenyList,
    },
    RoleChanged {
        role: SubjectRole,
        access_tokens_denied: usize,
    },
    Disabled {
        access_tokens_denied: usize,
    },
    Enabled,
    Copied,
    NothingToCopy,
    Refreshed {
        by: Holder,
    },
    RefreshRefused {
        by: Holder,
        reason: RefreshRefusal,
    },
    /// There is no copy that a thief could use.
    NoCopy,
    TimePassed {
        seconds: u64,
    },
    Restarted {
        /// Denied tokens that were lost with the memory of the service.
        denied_tokens_lost: usize,
    },
    KeyRotated {
        old_keys_accepted: bool,
    },
    ServiceAdded {
        algorithm: Algorithm,
    },
    ServiceRemoved,
    /// There is no second service to break into.
    NoSecondService,
    /// A thief with the data of the second service made credentials.
    Forged {
        token_signed: bool,
    },
    AlgorithmChanged {
        algorithm: Algorithm,
    },
    DenyListChanged {
        deny_list: DenyList,
    },
}

/// Why a refresh token is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum RefreshRefusal {
    Missing,
    Invalid {
        refusal: jwt::Refusal,
    },
    /// Not issued in this run.
    Unknown,
    /// Used a second time, so its family is denied.
    Reused {
        deny_list: DenyList,
    },
    Denied,
    SubjectDisabled,
}

impl Outcome {
    pub(super) fn time_passed(by: Duration) -> Self {
        Self::TimePassed { seconds: by.as_secs() }
    }

    /// Stable, for tests and `data-` attributes: the stored `kind`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Asked => "asked",
            Self::LoggedIn => "logged-in",
            Self::LoginRefused => "login-refused",
            Self::LoggedOut { .. } => "logged-out",
            Self::LoggedOutAlready => "logged-out-already",
            Self::LoggedOutEverywhere { .. } => "logged-out-everywhere",
            Self::RoleChanged { .. } => "role-changed",
            Self::Disabled { .. } => "disabled",
            Self::Enabled => "enabled",
            Self::Copied => "copied",
            Self::NothingToCopy => "nothing-to-copy",
            Self::Refreshed { .. } => "refreshed",
            Self::RefreshRefused { .. } => "refresh-refused",
            Self::NoCopy => "no-copy",
            Self::TimePassed { .. } => "time-passed",
            Self::Restarted { .. } => "restarted",
            Self::KeyRotated { .. } => "key-rotated",
            Self::ServiceAdded { .. } => "service-added",
            Self::ServiceRemoved => "service-removed",
            Self::NoSecondService => "no-second-service",
            Self::Forged { .. } => "forged",
            Self::AlgorithmChanged { .. } => "algorithm-changed",
            Self::DenyListChanged { .. } => "deny-list-changed",
        }
    }

    /// Why a refresh token was refused, if that is what happened.
    pub fn refresh_refusal(&self) -> Option<&RefreshRefusal> {
        match self {
            Self::RefreshRefused { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

impl RefreshRefusal {
    /// Stable, for tests and `data-` attributes: the stored `reason`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid { .. } => "invalid",
            Self::Unknown => "unknown",
            Self::Reused { .. } => "reused",
            Self::Denied => "denied",
            Self::SubjectDisabled => "subject-disabled",
        }
    }
}

/// An entry of a run's history, as the column `steps` stores it.
///
/// Earlier versions wrote sentences into `step`, `session` and `token`, and require all three when they read. So that
/// both can run on one database, `step` repeats the code for them, and an entry without an outcome, or with one that
/// only a later version knows, is shown as the text it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Unix time in seconds.
    pub at: i64,
    step: String,
    session: String,
    token: String,
    #[serde(default, deserialize_with = "known")]
    outcome: Option<Outcome>,
}

fn known<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<Outcome>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(stored)?).ok())
}

/// A history entry, as this version or an older one wrote it.
pub enum LoggedStep<'e> {
    Outcome(&'e Outcome),
    Text { step: &'e str, session: &'e str, token: &'e str },
}

impl HistoryEntry {
    pub(super) fn new(at: i64, outcome: Outcome) -> Self {
        Self {
            at,
            step: outcome.code().to_owned(),
            session: String::new(),
            token: String::new(),
            outcome: Some(outcome),
        }
    }

    pub fn logged(&self) -> LoggedStep<'_> {
        match &self.outcome {
            Some(outcome) => LoggedStep::Outcome(outcome),
            None => LoggedStep::Text { step: &self.step, session: &self.session, token: &self.token },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_read_back_as_it_was_stored_under_its_code() {
        let refusal = jwt::Refusal::Expired { at: 7 };
        for outcome in [
            Outcome::Opened,
            Outcome::LoggedOut { session_ended: true, tokens_known: false, deny_list: DenyList::Memory },
            Outcome::RoleChanged { role: SubjectRole::Admin, access_tokens_denied: 2 },
            Outcome::RefreshRefused { by: Holder::Thief, reason: RefreshRefusal::Invalid { refusal } },
            Outcome::ServiceAdded { algorithm: Algorithm::EdDsa },
            Outcome::time_passed(Duration::from_secs(360)),
        ] {
            let entry = HistoryEntry::new(1, outcome.clone());
            let stored = serde_json::to_value(&entry).unwrap();
            assert_eq!(stored["outcome"]["kind"], outcome.code());
            if let Some(reason) = outcome.refresh_refusal() {
                assert_eq!(stored["outcome"]["reason"]["reason"], reason.code());
            }
            // What an older version reads.
            assert!(["step", "session", "token"].iter().all(|field| stored[field].is_string()), "{stored}");
            assert_eq!(serde_json::from_value::<HistoryEntry>(stored).unwrap(), entry);
        }
    }

    #[test]
    fn an_entry_of_another_version_is_kept_as_text() {
        let older = json!({ "step": "You asked.", "at": 1, "session": "", "token": "Nothing." });
        let mut later = older.clone();
        later["outcome"] = json!({ "kind": "not-invented-yet" });
        for stored in [older, later] {
            let entry: HistoryEntry = serde_json::from_value(stored).unwrap();
            match entry.logged() {
                LoggedStep::Text { step, session, token } => {
                    assert_eq!((step, session, token), ("You asked.", "", "Nothing."));
                }
                LoggedStep::Outcome(outcome) => panic!("{outcome:?}"),
            }
        }
    }
}
