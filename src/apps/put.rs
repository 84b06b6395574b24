//! Adds or replaces an app for a program, in the format of the file of apps.

use std::collections::HashMap;

use crate::apps::app::App;
use crate::apps::app_file_entry::AppFileEntry;
use crate::apps::app_refusal::AppRefusal;
use crate::apps::choices::AppSource;
use crate::apps::ids::Slug;
use crate::apps::queries;
use crate::apps::service::Apps;
use crate::apps::user_lookup::find_listed;
use crate::db::{Failed, refuse};
use crate::identity::{Client, UserId};

impl Apps {
    /// Returns the app, and whether it was added. An app that comes from a file is not replaced. Without rules in `entry`, the
    /// app keeps those that it has; a new app has none, so it lets no one in.
    ///
    /// * `when`: whether the caller expects this current state; `None`: the app does not exist.
    pub async fn put(
        &self,
        actor: UserId,
        slug: Slug,
        entry: AppFileEntry,
        when: impl FnOnce(Option<&App>) -> bool + Send + 'static,
        client: Client,
    ) -> Result<(App, bool), Failed<AppRefusal>> {
        let apps = self.clone();
        let actor = Some(actor);
        self.sessions
            .write_or_refuse(move |tx| {
                // Before the lock on all apps, because there may be many users.
                let mut known = HashMap::new();
                for text in entry.users() {
                    if !known.contains_key(text) {
                        known.insert(text.to_owned(), find_listed(tx, text)?);
                    }
                }
                queries::lock_apps(tx)?;
                let stored = queries::stored_apps(tx)?;
                if let Some(app) = stored.unreadable.iter().find(|app| *app.slug == *slug.as_str()) {
                    return refuse(AppRefusal::Unreadable { column: app.column });
                }
                let before = stored.apps.iter().find(|app| app.slug == slug);
                if !when(before) {
                    return refuse(AppRefusal::Changed);
                }
                // A program that does not name the rules must not open the app.
                let rules = before.map(|app| app.rules.clone()).unwrap_or_default();
                let local = (apps.default_origin(&slug), rules);
                let app = entry.app(slug, AppSource::Pages, &local, &mut |text| {
                    Ok(known.get(text).copied().flatten())
                })?;
                match before {
                    None => {
                        apps.add_in(tx, &stored, &app, actor, &client)?;
                        Ok((app, true))
                    }
                    Some(before) => {
                        let after = App { id: before.id, ..app };
                        apps.change_in(tx, &stored, before, &after, actor, &client)?;
                        Ok((after, false))
                    }
                }
            })
            .await
    }
}
