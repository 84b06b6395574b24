//! The source of each setting, for `latchkey config`.

use std::collections::BTreeMap;
use std::fmt;

use super::limits::Profile;

/// The source of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    /// A default of this session profile.
    Profile(Profile),
    File(String),
    Variable(String),
    /// The variables of this Choreo connection.
    Choreo(String),
    /// A file in local mode's data directory.
    DataDir,
    /// Local mode creates it at the first start.
    NotCreatedYet,
    /// The file or the environment.
    Setting,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(profile) => write!(f, "profile {}", profile.as_str()),
            Self::File(name) => write!(f, "file {name}"),
            Self::Variable(name) => f.write_str(name),
            Self::Choreo(name) => write!(f, "Choreo connection {name}"),
            Self::DataDir => f.write_str("data directory"),
            Self::NotCreatedYet => f.write_str("created at the first start"),
            Self::Setting => f.write_str("setting"),
        }
    }
}

/// The sources of all settings that are not defaults, by their path in the file, such as `server.port`.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(BTreeMap<String, Source>);

impl Sources {
    pub fn of(&self, path: &str) -> Source {
        self.0.get(path).cloned().unwrap_or(Source::Default)
    }

    pub fn set(&mut self, path: impl Into<String>, source: Source) {
        self.0.insert(path.into(), source);
    }
}

/// The variable that sets `path`, such as `LATCHKEY__SERVER__PORT` for `server.port`.
pub(super) fn variable(path: &str) -> String {
    format!("LATCHKEY__{}", path.replace('.', "__").to_uppercase())
}
