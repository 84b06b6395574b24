//! The parts of a run that its page chooses or shows: services, deny-lists, holders, and the subject.

use serde::{Deserialize, Serialize};

/// The services that check credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Logs users in and issues tokens.
    Shop,
    /// The second service, once the run is split. It accepts what the shop has issued.
    Desk,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Desk => "desk",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "shop" => Some(Self::Shop),
            "desk" => Some(Self::Desk),
            _ => None,
        }
    }
}

/// Where tokens are listed that are refused before they expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenyList {
    None,
    /// In the memory of the shop.
    Memory,
    /// In the database, which every check of every service reads.
    Database,
}

impl DenyList {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Memory => "memory",
            Self::Database => "database",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "memory" => Some(Self::Memory),
            "database" => Some(Self::Database),
            _ => None,
        }
    }
}

/// Who presents the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The visitor's browser.
    Browser,
    /// The holder of the copy.
    Thief,
}

impl Holder {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Thief => "thief",
        }
    }
}

/// What the subject may do in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectRole {
    Member,
    Admin,
}

impl SubjectRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Member => Self::Admin,
            Self::Admin => Self::Member,
        }
    }
}

/// The data loaded with a lab session.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub role: SubjectRole,
}
