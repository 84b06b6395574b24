//! The result of a check of the doctor: one line.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No action needed.
    Ok,
    /// Worth knowing, or not checked.
    Note,
    /// Works now, but fails under some conditions.
    Warning,
    /// Does not work, or a guarantee does not hold.
    Problem,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub seen: String,
    /// What to do; empty if there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

pub fn ok(check: &'static str, seen: impl Into<String>) -> Finding {
    Finding { check, level: Level::Ok, seen: seen.into(), advice: String::new() }
}

pub fn note(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { check, level: Level::Note, seen: seen.into(), advice: advice.into() }
}

pub fn warning(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { check, level: Level::Warning, seen: seen.into(), advice: advice.into() }
}

pub fn problem(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { check, level: Level::Problem, seen: seen.into(), advice: advice.into() }
}
