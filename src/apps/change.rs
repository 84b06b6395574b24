//! Adds, changes and removes an app. Each operation returns when no instance decides by the old state any more.

use std::collections::BTreeSet;

use diesel::pg::PgConnection;

use crate::apps::app::App;
use crate::apps::app_refusal::{AppRefusal, RuleRefusal};
use crate::apps::check::check;
use crate::apps::choices::AppSource;
use crate::apps::difference::difference;
use crate::apps::ids::AppId;
use crate::apps::queries;
use crate::apps::rule::{Access, Rule};
use crate::apps::service::Apps;
use crate::apps::stored::{StoredApps, UnreadableApp};
use crate::audit::{AppChange, AuditAction, EventDetail, NewEvent};
use crate::cleanup::revoke_tokens_of_app;
use crate::config::UpstreamsFrom;
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, GroupName, UserId};
use latchkey_sessions::SessionTx;

impl Apps {
    /// * `actor`: the administrator; `None`: the operator on the command line.
    pub async fn add(
        &self,
        actor: Option<UserId>,
        app: App,
        client: Client,
    ) -> Result<(), Failed<AppRefusal>> {
        let apps = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                queries::lock_apps(tx)?;
                let stored = queries::stored_apps(tx)?;
                apps.add_in(tx, &stored, &app, actor, &client)
            })
            .await
    }

    /// Adds an app beside those that are `stored` and locked.
    pub(super) fn add_in(
        &self,
        tx: &mut SessionTx<'_>,
        stored: &StoredApps,
        app: &App,
        actor: Option<UserId>,
        client: &Client,
    ) -> Result<(), Failed<AppRefusal>> {
        if app.upstream.is_some() && !self.may_set_upstreams(actor) {
            return refuse(AppRefusal::UpstreamNotAllowed);
        }
        let others = OtherApps { apps: stored.apps.iter().collect(), unreadable: &stored.unreadable };
        self.check(tx, app, &others, None, &[])?;
        queries::insert_app(tx, app)?;
        tx.invalidates();
        Ok(record(tx, AuditAction::AppAdded, None, Some(app), actor, client)?)
    }

    /// Changes an app from the state `before`, which the caller has seen, to `after`: settings, origins and rules.
    pub async fn change(
        &self,
        actor: Option<UserId>,
        before: App,
        after: App,
        client: Client,
    ) -> Result<(), Failed<AppRefusal>> {
        let apps = self.clone();
        let after = App { id: before.id, ..after };
        self.sessions
            .write_or_refuse(move |tx| {
                queries::lock_apps(tx)?;
                let stored = queries::stored_apps(tx)?;
                let Some(found) = stored.apps.iter().find(|app| app.id == before.id) else {
                    return refuse(AppRefusal::NoSuchApp);
                };
                // Checked before the state, because this is the refusal that the caller can act on.
                if found.source == AppSource::File && actor.is_some() {
                    return refuse(AppRefusal::FromFile);
                }
                if *found != before {
                    return refuse(AppRefusal::Changed);
                }
                apps.change_in(tx, &stored, &before, &after, actor, &client)
            })
            .await
    }

    /// Changes an app that is `stored` and locked.
    pub(super) fn change_in(
        &self,
        tx: &mut SessionTx<'_>,
        stored: &StoredApps,
        before: &App,
        after: &App,
        actor: Option<UserId>,
        client: &Client,
    ) -> Result<(), Failed<AppRefusal>> {
        if before.source == AppSource::File && actor.is_some() {
            return refuse(AppRefusal::FromFile);
        }
        if after.upstream != before.upstream && !self.may_set_upstreams(actor) {
            return refuse(AppRefusal::UpstreamNotAllowed);
        }
        if after == before {
            return Ok(());
        }
        let others = stored.apps.iter().filter(|app| app.id != before.id);
        let others = OtherApps { apps: others.collect(), unreadable: &stored.unreadable };
        self.check(tx, after, &others, Some(before), &[])?;
        queries::delete_lost_origins(tx, before, after)?;
        queries::update_app(tx, before, after)?;
        self.end_keys(tx, before, Some(after))?;
        tx.invalidates();
        Ok(record(tx, AuditAction::AppChanged, Some(before), Some(after), actor, client)?)
    }

    pub async fn remove(
        &self,
        actor: Option<UserId>,
        id: AppId,
        client: Client,
    ) -> Result<(), Failed<AppRefusal>> {
        self.remove_if(actor, id, |_| true, client).await
    }

    /// The same, if the app is in the state that the caller expects.
    pub async fn remove_if(
        &self,
        actor: Option<UserId>,
        id: AppId,
        when: impl FnOnce(&App) -> bool + Send + 'static,
        client: Client,
    ) -> Result<(), Failed<AppRefusal>> {
        let apps = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                queries::lock_apps(tx)?;
                let stored = queries::stored_apps(tx)?;
                if let Some(app) = stored.unreadable.iter().find(|app| app.id == id) {
                    return apps.remove_unreadable(tx, app, actor, &client);
                }
                let Some(app) = stored.apps.iter().find(|app| app.id == id) else {
                    return refuse(AppRefusal::NoSuchApp);
                };
                if app.source == AppSource::File && actor.is_some() {
                    return refuse(AppRefusal::FromFile);
                }
                if !when(app) {
                    return refuse(AppRefusal::Changed);
                }
                revoke_tokens_of_app(tx, id.0, actor, &client)?;
                queries::delete_app(tx, id)?;
                apps.end_keys(tx, app, None)?;
                tx.invalidates();
                Ok(record(tx, AuditAction::AppRemoved, Some(app), None, actor, &client)?)
            })
            .await
    }

    /// Only for the operator: the value that cannot be read may be the one that says whether the app comes from a file.
    fn remove_unreadable(
        &self,
        tx: &mut SessionTx<'_>,
        app: &UnreadableApp,
        actor: Option<UserId>,
        client: &Client,
    ) -> Result<(), Failed<AppRefusal>> {
        if actor.is_some() {
            return refuse(AppRefusal::Unreadable { column: app.column });
        }
        revoke_tokens_of_app(tx, app.id.0, actor, client)?;
        queries::delete_app(tx, app.id)?;
        self.sessions.end_scoped_keys_of_scope(tx, app.id.0)?;
        tx.invalidates();
        let change = AppChange { app: app.slug.clone(), changes: Vec::new() };
        Ok(NewEvent::by_administration(AuditAction::AppRemoved, actor, client)
            .data(&EventDetail::AppChanged(change))
            .write(tx)?)
    }

    /// Latchkey sends requests to an upstream from inside the operator's network, so pages may set one only if the
    /// operator allows it.
    fn may_set_upstreams(&self, actor: Option<UserId>) -> bool {
        actor.is_none() || self.upstreams_from == UpstreamsFrom::Admin
    }

    /// Refuses an app that must not be stored beside `others`.
    ///
    /// * `before`: its state before the change. A user who has been deleted since may stay in a rule.
    /// * `added`: the groups that the same transaction adds.
    pub(super) fn check(
        &self,
        conn: &mut PgConnection,
        app: &App,
        others: &OtherApps<'_>,
        before: Option<&App>,
        added: &[GroupName],
    ) -> Result<(), Failed<AppRefusal>> {
        check(app, &self.portal, &others.apps, others.unreadable).map_err(Failed::Refused)?;
        let names: BTreeSet<&GroupName> = app.rules.iter().flat_map(|rule| rule.access.groups()).collect();
        let names: Vec<&GroupName> = names.into_iter().collect();
        let existing = queries::existing_groups(conn, &names)?;
        for (at, rule) in app.rules.iter().enumerate() {
            let missing = |name: &&GroupName| {
                !added.contains(name) && !existing.iter().any(|known| known == name.as_str())
            };
            if let Some(name) = rule.access.groups().iter().find(missing) {
                return refuse(RuleRefusal::UnknownGroup(name.clone()).at(at));
            }
        }
        let known: Vec<UserId> = before.iter().flat_map(|app| listed_users(&app.rules)).collect();
        let new: Vec<UserId> = listed_users(&app.rules).filter(|user| !known.contains(user)).collect();
        let existing = queries::existing_users(conn, &new)?;
        for (at, rule) in app.rules.iter().enumerate() {
            let mut listed = listed_users(std::slice::from_ref(rule));
            if let Some(user) = listed.find(|user| new.contains(user) && !existing.contains(user)) {
                return refuse(RuleRefusal::UnknownUser { text: user.to_string() }.at(at));
            }
        }
        Ok(())
    }

    /// Ends the keys of an app that is disabled or removed, or that lost an origin. If the app still exists, the
    /// next visit opens a new key.
    pub(super) fn end_keys(
        &self,
        tx: &mut SessionTx<'_>,
        before: &App,
        after: Option<&App>,
    ) -> Result<(), Fault> {
        let keeps = after.is_some_and(|after| {
            after.enabled && before.origins.iter().all(|origin| after.origins.contains(origin))
        });
        if !keeps {
            self.sessions.end_scoped_keys_of_scope(tx, before.id.0)?;
        }
        Ok(())
    }
}

/// All apps except the one that is stored.
pub(super) struct OtherApps<'a> {
    pub apps: Vec<&'a App>,
    pub unreadable: &'a [UnreadableApp],
}

/// The users that the rules name.
pub(super) fn listed_users(rules: &[Rule]) -> impl Iterator<Item = UserId> {
    let users = |rule: &Rule| match &rule.access {
        Access::Listed(list) => list.users.clone(),
        Access::Open | Access::SignedIn => Vec::new(),
    };
    rules.iter().flat_map(users)
}

/// Records what changed about one app.
fn record(
    conn: &mut PgConnection,
    action: AuditAction,
    before: Option<&App>,
    after: Option<&App>,
    actor: Option<UserId>,
    client: &Client,
) -> Result<(), Fault> {
    match difference(before, after) {
        Some(difference) => NewEvent::by_administration(action, actor, client)
            .data(&EventDetail::AppChanged(difference.change))
            .write(conn),
        None => Ok(()),
    }
}
