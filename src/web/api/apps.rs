//! Apps behind Latchkey, in the format of their file.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answers::ItemAnswer;
use super::context::ApiContext;
use super::methods::{Deletable, Listable, Replaceable, Retrievable};
use super::precondition::Precondition;
use super::query::NoParams;
use super::resource::Resource;
use super::scoped::{AppsRead, AppsWrite, Scoped};
use crate::accounts::Accounts;
use crate::apps::{App, AppFileEntry, AppSource, Slug};
use crate::web::http::error::Error;
use crate::web::http::path::BySlug;
use crate::web::http::problem::Problem;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppOut {
    /// Its short name.
    pub slug: String,
    /// `file`: the app comes from a file, and only the operator can change it.
    pub source: SourceName,
    /// The settings, as PUT takes them. Settings with their default value are left out.
    pub settings: AppFileEntry,
}

/// Where an app is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    Pages,
    File,
}

/// An app, and its entry in the format of a file, in which users are email addresses.
pub struct AppRecord {
    pub app: App,
    pub entry: AppFileEntry,
}

impl From<&AppRecord> for AppOut {
    fn from(AppRecord { app, entry }: &AppRecord) -> Self {
        let source = match app.source {
            AppSource::Pages => SourceName::Pages,
            AppSource::File => SourceName::File,
        };
        Self { slug: app.slug.to_string(), source, settings: entry.clone() }
    }
}

pub struct AppResource;

impl Resource for AppResource {
    type Model = AppRecord;
    type Out = AppOut;
    type Read = AppsRead;

    fn version(record: &AppRecord) -> Value {
        AppFileEntry::version(&record.app)
    }
}

async fn with_entries(accounts: &Accounts, apps: Vec<App>) -> Result<Vec<AppRecord>, Error> {
    let entries = accounts.apps.entries(&apps).await?;
    Ok(apps.into_iter().zip(entries).map(|(app, entry)| AppRecord { app, entry }).collect())
}

impl Listable for AppResource {
    type Filters = NoParams;
    type Key = String;

    async fn page(
        accounts: &Accounts,
        _: &NoParams,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<AppRecord>, Error> {
        // They are in the order of slugs. There are few enough to read them all, as every decision does.
        let apps = accounts.apps.list().await?.into_iter();
        let apps = apps.filter(|app| after.as_deref().is_none_or(|after| app.slug.as_str() > after));
        with_entries(accounts, apps.take(usize::try_from(limit).unwrap_or(0)).collect()).await
    }

    fn key(_: &NoParams, record: &AppRecord) -> String {
        record.app.slug.to_string()
    }
}

impl Retrievable for AppResource {
    type Path = BySlug;

    async fn find(accounts: &Accounts, path: &BySlug) -> Result<Option<AppRecord>, Error> {
        let found = accounts.apps.find(&path.slug).await?;
        Ok(with_entries(accounts, found.into_iter().collect()).await?.pop())
    }
}

impl Replaceable for AppResource {
    type In = AppFileEntry;
    type Write = AppsWrite;

    async fn put(
        me: &Scoped<AppsWrite>,
        ctx: &ApiContext,
        path: BySlug,
        when: Precondition,
        input: AppFileEntry,
    ) -> Result<ItemAnswer<Self>, Error> {
        let slug = Slug::parse(&path.slug).map_err(|why| Problem::invalid("", why))?;
        let expected = move |app: Option<&App>| when.admits(app.map(AppFileEntry::version).as_ref());
        let (app, is_new) = ctx.accounts().apps.put(me.user(), slug, input, expected, ctx.client()).await?;
        let record = with_entries(ctx.accounts(), vec![app]).await?.pop().ok_or(Error::NotFound)?;
        let answer = ItemAnswer::of(&record);
        Ok(if is_new { answer.added_at(ctx.path().to_owned()) } else { answer })
    }
}

impl Deletable for AppResource {
    type Write = AppsWrite;

    async fn remove(
        me: &Scoped<AppsWrite>,
        ctx: &ApiContext,
        path: BySlug,
        when: Precondition,
    ) -> Result<(), Error> {
        let apps = &ctx.accounts().apps;
        let app = apps.find(&path.slug).await?.ok_or(Error::NotFound)?;
        let expected = move |app: &App| when.admits(Some(&AppFileEntry::version(app)));
        Ok(apps.remove_if(Some(me.user()), app.id, expected, ctx.client()).await?)
    }
}
