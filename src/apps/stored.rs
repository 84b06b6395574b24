//! The apps as they are stored, with those that this version cannot read.

use crate::apps::app::App;
use crate::apps::ids::AppId;

/// Both by slug.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredApps {
    pub apps: Vec<App>,
    pub unreadable: Vec<UnreadableApp>,
}

/// An app with a value that this version does not know: a newer version stored it, or it was changed by hand. Its
/// requests are refused, because ignoring the value could let in too many users. Other apps are served as usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableApp {
    pub id: AppId,
    pub slug: String,
    pub name: String,
    /// As they are stored.
    pub origins: Vec<String>,
    pub hosts: Vec<String>,
    /// The column with the value.
    pub column: &'static str,
}
