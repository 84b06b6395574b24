//! A file of apps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::apps::app::App;
use crate::apps::app_file_entry::AppFileEntry;
use crate::apps::app_refusal::{AppRefusal, FileRefusal};
use crate::apps::ids::Slug;
use crate::identity::UserId;

/// The apps that a file lists, by slug.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppsFile {
    #[serde(default)]
    pub(super) apps: BTreeMap<String, AppFileEntry>,
}

impl AppsFile {
    /// Parses TOML.
    ///
    /// # Errors
    /// If the text is not TOML, has an unknown key, or has a name that is not a slug.
    pub fn parse(text: &str) -> Result<Self, FileRefusal> {
        let file: Self =
            toml::from_str(text).map_err(|error| FileRefusal::Malformed(error.to_string().trim().into()))?;
        match file.apps.keys().find(|slug| Slug::parse(slug).is_err()) {
            Some(slug) => Err(AppRefusal::InvalidSlug.of(slug)),
            None => Ok(file),
        }
    }

    /// The file that describes `apps`.
    ///
    /// * `user`: returns how to write a user.
    pub(super) fn of<'a>(apps: impl IntoIterator<Item = &'a App>, user: &dyn Fn(UserId) -> String) -> Self {
        let entry = |app: &App| (app.slug.to_string(), AppFileEntry::of(app, user));
        Self { apps: apps.into_iter().map(entry).collect() }
    }

    /// As TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
