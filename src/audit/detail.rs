//! What an event records beyond its action: data, as JSON in its detail. Earlier versions wrote English text there, which
//! is shown as it is.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// The detail of an event. Each variant has a key that no other has. The keys are stored and never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventDetail {
    /// About one passkey, by its name.
    Passkey {
        passkey: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<DetailReason>,
    },
    EndedSessions {
        ended: usize,
        whose: EndedOf,
    },
    RecoveryCodes {
        codes_left: usize,
    },
    /// A change of one app.
    AppChanged(AppChange),
    /// About one app, by its slug.
    App {
        app: String,
    },
    /// Changes of several apps, from a file.
    AppsApplied {
        applied: Vec<AppChange>,
        /// The groups that were added, because rules name them.
        groups: Vec<String>,
    },
    /// A group, or a member of it.
    Group {
        group: String,
        /// The note before and after, if it was changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<FieldChange>,
    },
    /// About one access token, never with its text.
    Token(TokenDetail),
    Reason {
        reason: DetailReason,
    },
}

/// An access token in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDetail {
    /// Its name.
    pub token: String,
    pub token_id: Uuid,
    pub scopes: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

/// What changed about one app: each field with its value before and after, as in a file of apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppChange {
    /// The slug.
    pub app: String,
    pub changes: Vec<FieldChange>,
}

/// The value of a field before and after; null where there was or is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    pub from: Value,
    pub to: Value,
}

/// Why something was refused, or what is remarkable about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetailReason {
    UnknownPasskey,
    /// The device did not verify its user.
    UserNotVerified,
    InvalidSignature,
    /// The password alone still logs in.
    PasswordAlone,
    /// The code was right and had been used.
    CodeReused,
    /// The account changed while the password was verified.
    AccountChanged,
    /// The password is weaker than the policy allows for new ones.
    WeakPassword,
}

/// Whose sessions were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedOf {
    /// All sessions of one user.
    User,
    /// Those of one user, except the one that asked for it.
    UserOthers,
    /// All sessions of all users.
    Everyone,
}

/// Bytes of an event with the values of every field: a file of some hundred apps.
const DATA_MAX: usize = 65_536;

impl EventDetail {
    pub(crate) fn passkey(name: &str) -> Self {
        Self::Passkey { passkey: name.to_owned(), reason: None }
    }

    pub(crate) fn app(slug: &str) -> Self {
        Self::App { app: slug.to_owned() }
    }

    pub(crate) fn reason(reason: DetailReason) -> Self {
        Self::Reason { reason }
    }

    /// `None` for text, which earlier versions wrote, and for erased events.
    pub fn read(detail: &str) -> Option<Self> {
        serde_json::from_str(detail).ok().or_else(|| Self::read_count(detail))
    }

    /// Reads the count of ended sessions as earlier versions wrote it: "3", "3 others" or "3 of everybody".
    fn read_count(detail: &str) -> Option<Self> {
        let (count, whose) = detail.split_once(' ').unwrap_or((detail, ""));
        let whose = match whose {
            "" => EndedOf::User,
            "others" => EndedOf::UserOthers,
            "of everybody" => EndedOf::Everyone,
            _ => return None,
        };
        Some(Self::EndedSessions { ended: count.parse().ok()?, whose })
    }

    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        match self {
            Self::AppsApplied { applied, groups } if json.len() > DATA_MAX => {
                // The names of the apps that a large file changed are always recorded.
                let name = |change: &AppChange| AppChange { app: change.app.clone(), changes: Vec::new() };
                let applied = applied.iter().map(name).collect();
                serde_json::to_string(&Self::AppsApplied { applied, groups: groups.clone() })
                    .unwrap_or_default()
            }
            _ => json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_read_back_from_the_keys_that_are_stored() {
        let not_verified = Some(DetailReason::UserNotVerified);
        for (detail, json) in [
            (EventDetail::passkey("Ada's phone"), r#"{"passkey":"Ada's phone"}"#),
            (
                EventDetail::Passkey { passkey: "A \"B\"".to_owned(), reason: not_verified },
                r#"{"passkey":"A \"B\"","reason":"user-not-verified"}"#,
            ),
            (
                EventDetail::EndedSessions { ended: 3, whose: EndedOf::UserOthers },
                r#"{"ended":3,"whose":"user-others"}"#,
            ),
            (EventDetail::RecoveryCodes { codes_left: 9 }, r#"{"codes_left":9}"#),
            (EventDetail::app("wiki"), r#"{"app":"wiki"}"#),
            (EventDetail::reason(DetailReason::CodeReused), r#"{"reason":"code-reused"}"#),
            (
                EventDetail::Token(TokenDetail {
                    token: "Backup".to_owned(),
                    token_id: Uuid::nil(),
                    scopes: vec!["me".to_owned()],
                    expires: OffsetDateTime::UNIX_EPOCH,
                }),
                r#"{"token":"Backup","token_id":"00000000-0000-0000-0000-000000000000","scopes":["me"],"expires":"1970-01-01T00:00:00Z"}"#,
            ),
        ] {
            assert_eq!(detail.json(), json);
            assert_eq!(EventDetail::read(json), Some(detail));
        }
    }

    #[test]
    fn counts_of_earlier_versions_are_read_and_other_text_is_not() {
        for (text, whose) in
            [("3", EndedOf::User), ("3 others", EndedOf::UserOthers), ("3 of everybody", EndedOf::Everyone)]
        {
            assert_eq!(EventDetail::read(text), Some(EventDetail::EndedSessions { ended: 3, whose }));
        }
        for text in ["", "an unknown passkey", "it was used already", "9 left", "{}", "null", "-1"] {
            assert_eq!(EventDetail::read(text), None, "{text}");
        }
    }
}
