//! Applies a file of apps in one transaction and with one event.

use diesel::pg::PgConnection;

use crate::apps::app::App;
use crate::apps::app_refusal::{AppRefusal, FileRefusal};
use crate::apps::change::OtherApps;
use crate::apps::choices::AppSource;
use crate::apps::difference::{AppDifference, difference};
use crate::apps::file::AppsFile;
use crate::apps::ids::Slug;
use crate::apps::queries;
use crate::apps::service::Apps;
use crate::apps::stored::StoredApps;
use crate::apps::user_lookup::find_listed;
use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::cleanup::revoke_tokens_of_app;
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, GroupName};
use latchkey_sessions::{PendingInvalidation, SessionTx};

/// How a file is applied.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApplyOptions {
    /// Only report what would change.
    pub dry_run: bool,
    /// Remove apps that came from a file and are not in this one.
    pub prune: bool,
}

/// The changes that a file makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The groups that rules name and that do not exist yet. They are added without members.
    pub groups: Vec<GroupName>,
    pub apps: Vec<AppDifference>,
}

impl Applied {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.apps.is_empty()
    }
}

/// The changes to write.
struct Plan {
    applied: Applied,
    /// The state before and after of each app that changes.
    steps: Vec<(Option<App>, Option<App>)>,
}

impl Apps {
    /// Applies a file for the operator.
    pub async fn apply(
        &self,
        file: AppsFile,
        options: ApplyOptions,
        client: Client,
    ) -> Result<Applied, Failed<FileRefusal>> {
        let apps = self.clone();
        self.sessions.write_or_refuse(move |tx| apps.apply_in(tx, &file, options, &client)).await
    }

    /// Applies a file at the start of an instance, on the connection that holds the migration lock. Removes nothing.
    /// The caller waits for the invalidation when the database is open.
    pub(crate) fn apply_at_start(
        &self,
        conn: &mut PgConnection,
        file: &AppsFile,
    ) -> Result<(Applied, PendingInvalidation), Failed<FileRefusal>> {
        let options = ApplyOptions::default();
        self.sessions.write_on(conn, |tx| self.apply_in(tx, file, options, &Client::operator()))
    }

    fn apply_in(
        &self,
        tx: &mut SessionTx<'_>,
        file: &AppsFile,
        options: ApplyOptions,
        client: &Client,
    ) -> Result<Applied, Failed<FileRefusal>> {
        let Plan { applied, steps } = self.plan(tx, file, options.prune)?;
        if !options.dry_run && !applied.is_empty() {
            for step in &steps {
                if let (Some(removed), None) = step {
                    revoke_tokens_of_app(tx, removed.id.0, None, client)?;
                }
            }
            write(tx, &applied, &steps, client)?;
            for (before, after) in &steps {
                if let Some(before) = before {
                    self.end_keys(tx, before, after.as_ref())?;
                }
            }
            tx.invalidates();
        }
        Ok(applied)
    }

    /// Compares the file with the stored apps, and refuses it as a whole if one app cannot be stored.
    fn plan(
        &self,
        conn: &mut PgConnection,
        file: &AppsFile,
        prune: bool,
    ) -> Result<Plan, Failed<FileRefusal>> {
        queries::lock_apps(conn)?;
        let StoredApps { apps: stored, unreadable } = queries::stored_apps(conn)?;
        if let Some(app) = unreadable.iter().find(|app| file.apps.contains_key(&app.slug)) {
            return refuse(AppRefusal::Unreadable { column: app.column }.of(&app.slug));
        }
        let groups = self.missing_groups(conn, file)?;
        let mut wanted = Vec::new();
        for (slug, entry) in &file.apps {
            let parsed = Slug::parse(slug).map_err(|_| Failed::Refused(AppRefusal::InvalidSlug.of(slug)))?;
            let local = (self.default_origin(&parsed), self.default_rules());
            let app = entry
                .app(parsed, AppSource::File, &local, &mut |text| find_listed(conn, text))
                .map_refusal(|why| why.of(slug))?;
            let before = stored.iter().find(|before| before.slug == app.slug);
            wanted.push(App { id: before.map_or(app.id, |before| before.id), ..app });
        }
        let is_wanted = |app: &App| wanted.iter().any(|wanted| wanted.id == app.id);
        let (removed, kept): (Vec<&App>, Vec<&App>) = stored
            .iter()
            .filter(|app| !is_wanted(app))
            .partition(|app| prune && app.source == AppSource::File);
        for app in &wanted {
            let others = kept.iter().copied().chain(wanted.iter().filter(|other| other.id != app.id));
            let others = OtherApps { apps: others.collect(), unreadable: &unreadable };
            let before = stored.iter().find(|before| before.id == app.id);
            self.check(conn, app, &others, before, &groups).map_refusal(|why| why.of(app.slug.as_str()))?;
        }
        let before = |app: &App| stored.iter().find(|before| before.id == app.id).cloned();
        let steps = wanted.iter().map(|app| (before(app), Some(app.clone())));
        let steps = steps.chain(removed.into_iter().map(|app| (Some(app.clone()), None)));
        let steps: Vec<_> = steps.filter(|(before, after)| before != after).collect();
        let apps = steps.iter().filter_map(|(before, after)| difference(before.as_ref(), after.as_ref()));
        Ok(Plan { applied: Applied { groups, apps: apps.collect() }, steps })
    }

    /// The groups that the file names and that do not exist.
    fn missing_groups(&self, conn: &mut PgConnection, file: &AppsFile) -> Result<Vec<GroupName>, Fault> {
        let named = file.apps.values().flat_map(|entry| entry.groups());
        // An invalid name is refused later, with its rule.
        let mut names: Vec<GroupName> = named.filter_map(|name| GroupName::parse(name).ok()).collect();
        names.sort_unstable();
        names.dedup();
        let existing = queries::existing_groups(conn, &names.iter().collect::<Vec<_>>())?;
        names.retain(|name| !existing.iter().any(|known| known == name.as_str()));
        Ok(names)
    }
}

fn write(
    conn: &mut PgConnection,
    applied: &Applied,
    steps: &[(Option<App>, Option<App>)],
    client: &Client,
) -> Result<(), Fault> {
    queries::insert_groups(conn, &applied.groups)?;
    // Changes that free an origin come first, because the file may move an origin to another app.
    for step in steps {
        match step {
            (Some(before), None) => queries::delete_app(conn, before.id)?,
            (Some(before), Some(after)) => queries::delete_lost_origins(conn, before, after)?,
            (None, _) => {}
        }
    }
    for step in steps {
        match step {
            (Some(before), Some(after)) => queries::update_app(conn, before, after)?,
            (None, Some(after)) => queries::insert_app(conn, after)?,
            (_, None) => {}
        }
    }
    let groups = applied.groups.iter().map(ToString::to_string).collect();
    let changes = applied.apps.iter().map(|difference| difference.change.clone()).collect();
    NewEvent::by_administration(AuditAction::AppsApplied, None, client)
        .data(&EventDetail::AppsApplied { applied: changes, groups })
        .write(conn)
}
