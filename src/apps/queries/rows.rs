//! The rows of apps, and their conversion to and from the domain types.

use std::time::Duration;

use diesel::pg::Pg;
use diesel::prelude::*;
use uuid::Uuid;

use crate::apps::app::{App, AppLimits};
use crate::apps::choices::{AppMode, AppSource, Explain, RemoteUser, RequiredFactor, UpstreamHost};
use crate::apps::header_names::{IdentityHeaderName, IdentityHeaders};
use crate::apps::ids::{AppId, Slug};
use crate::apps::origin::AppOrigin;
use crate::apps::path::RulePath;
use crate::apps::rule::{Access, AccessList, PathMatch, Rule, RuleScope};
use crate::apps::upstream::Upstream;
use crate::db::schema::{app_rules, apps};
use crate::identity::{GroupName, Role, UserId};

/// A list in a column. The database refuses NULL in it.
pub(super) type TextList = Vec<Option<String>>;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = apps, check_for_backend(Pg), treat_none_as_null = true)]
pub(super) struct AppRow {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub enabled: bool,
    pub mode: String,
    pub upstream: Option<String>,
    pub upstream_ca: Option<String>,
    pub remote_user: String,
    pub header_names: TextList,
    pub also_from: TextList,
    pub app_cookies: TextList,
    pub ignore_case: bool,
    pub explain: String,
    pub max_body: Option<i64>,
    pub connect_ms: i32,
    pub head_ms: i32,
    pub idle_ms: i32,
    pub max_in_flight: i32,
    pub host: String,
    pub close_code: i32,
    pub source: String,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = app_rules, check_for_backend(Pg))]
pub(super) struct RuleRow {
    pub app: Uuid,
    pub position: i32,
    pub methods: TextList,
    pub path_kind: String,
    pub path: Option<String>,
    pub networks: TextList,
    pub access: String,
    pub groups: TextList,
    pub users: Vec<Option<Uuid>>,
    pub role: Option<String>,
    pub factor: String,
    pub fresh_seconds: Option<i32>,
    pub tokens: bool,
    pub note: String,
}

/// The values of a list, each parsed.
fn parsed<T>(list: TextList, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    list.into_iter().map(|value| parse(value.as_deref()?)).collect()
}

fn listed<T: ToString>(values: &[T]) -> TextList {
    values.iter().map(|value| Some(value.to_string())).collect()
}

impl AppRow {
    pub(super) fn of(app: &App) -> Self {
        let milliseconds = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
        Self {
            id: app.id.0,
            slug: app.slug.to_string(),
            name: app.name.clone(),
            enabled: app.enabled,
            mode: app.mode.as_str().into(),
            upstream: app.upstream.as_ref().map(ToString::to_string),
            upstream_ca: app.upstream.as_ref().and_then(|upstream| upstream.ca.clone()),
            remote_user: app.remote_user.as_str().into(),
            header_names: listed(&app.header_names.all()),
            also_from: listed(&app.also_from),
            app_cookies: listed(&app.app_cookies),
            ignore_case: app.ignore_case,
            explain: app.explain.as_str().into(),
            max_body: app.limits.max_body.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            connect_ms: milliseconds(app.limits.connect),
            head_ms: milliseconds(app.limits.head),
            idle_ms: milliseconds(app.limits.idle),
            max_in_flight: i32::try_from(app.limits.max_in_flight).unwrap_or(i32::MAX),
            host: app.upstream_host.as_str().into(),
            close_code: i32::from(app.close_code),
            source: app.source.as_str().into(),
        }
    }

    /// The app with its origins and rules, both in order.
    ///
    /// # Errors
    /// The column with a value that this version does not know.
    pub(super) fn app(self, origins: &[String], rules: Vec<RuleRow>) -> Result<App, &'static str> {
        let milliseconds = |value: i32| Duration::from_millis(u64::try_from(value).unwrap_or(0));
        let upstream =
            self.upstream.map(|text| Upstream::parse(&text, self.upstream_ca.as_deref())).transpose();
        let origin = |text: &str| AppOrigin::parse(text).ok();
        let names = parsed(self.header_names, |name| IdentityHeaderName::parse(name).ok());
        let names = names.and_then(|names| <[IdentityHeaderName; 4]>::try_from(names).ok());
        let [user, email, name, groups] = names.ok_or("apps.header_names")?;
        Ok(App {
            id: AppId(self.id),
            slug: Slug::parse(&self.slug).map_err(|_| "apps.slug")?,
            name: self.name,
            enabled: self.enabled,
            mode: AppMode::parse(&self.mode).ok_or("apps.mode")?,
            upstream: upstream.map_err(|_| "apps.upstream")?,
            remote_user: RemoteUser::parse(&self.remote_user).ok_or("apps.remote_user")?,
            header_names: IdentityHeaders { user, email, name, groups },
            also_from: parsed(self.also_from, origin).ok_or("apps.also_from")?,
            app_cookies: self.app_cookies.into_iter().flatten().collect(),
            ignore_case: self.ignore_case,
            explain: Explain::parse(&self.explain).ok_or("apps.explain")?,
            limits: AppLimits {
                max_body: self.max_body.and_then(|bytes| u64::try_from(bytes).ok()),
                connect: milliseconds(self.connect_ms),
                head: milliseconds(self.head_ms),
                idle: milliseconds(self.idle_ms),
                max_in_flight: u32::try_from(self.max_in_flight).unwrap_or(0),
            },
            upstream_host: UpstreamHost::parse(&self.host).ok_or("apps.host")?,
            close_code: u16::try_from(self.close_code).map_err(|_| "apps.close_code")?,
            source: AppSource::parse(&self.source).ok_or("apps.source")?,
            origins: origins
                .iter()
                .map(|text| origin(text))
                .collect::<Option<_>>()
                .ok_or("app_origins.origin")?,
            rules: rules.into_iter().map(RuleRow::rule).collect::<Result<_, _>>()?,
        })
    }
}

impl RuleRow {
    pub(super) fn of(app: AppId, position: i32, rule: &Rule) -> Self {
        let (path_kind, path) = match &rule.when.path {
            PathMatch::All => ("all", None),
            PathMatch::Exact(path) => ("exact", Some(path.to_string())),
            PathMatch::Below(path) => ("below", Some(path.to_string())),
        };
        let list = match &rule.access {
            Access::Listed(list) => list.clone(),
            Access::Open | Access::SignedIn => AccessList::default(),
        };
        Self {
            app: app.0,
            position,
            methods: listed(&rule.when.methods),
            path_kind: path_kind.into(),
            path,
            networks: listed(&rule.when.networks),
            access: rule.access.as_str().into(),
            groups: listed(&list.groups),
            users: list.users.iter().map(|user| Some(user.0)).collect(),
            role: list.role.map(|role| role.as_str().into()),
            factor: rule.factor.as_str().into(),
            fresh_seconds: rule.fresh.map(|fresh| i32::try_from(fresh.as_secs()).unwrap_or(i32::MAX)),
            tokens: rule.tokens,
            note: rule.note.clone(),
        }
    }

    fn rule(self) -> Result<Rule, &'static str> {
        let path = self.path.as_deref().map(RulePath::parse).transpose();
        let path = match (self.path_kind.as_str(), path.map_err(|_| "app_rules.path")?) {
            ("all", None) => PathMatch::All,
            ("exact", Some(path)) => PathMatch::Exact(path),
            ("below", Some(path)) => PathMatch::Below(path),
            _ => return Err("app_rules.path_kind"),
        };
        let list = AccessList {
            groups: parsed(self.groups, |name| GroupName::parse(name).ok()).ok_or("app_rules.groups")?,
            users: self.users.into_iter().flatten().map(UserId).collect(),
            role: match self.role {
                Some(role) => Some(Role::parse(&role).ok_or("app_rules.role")?),
                None => None,
            },
        };
        Ok(Rule {
            when: RuleScope {
                methods: self.methods.into_iter().flatten().collect(),
                path,
                networks: parsed(self.networks, |text| text.parse().ok()).ok_or("app_rules.networks")?,
            },
            access: match self.access.as_str() {
                "open" => Access::Open,
                "signed-in" => Access::SignedIn,
                "listed" => Access::Listed(list),
                _ => return Err("app_rules.access"),
            },
            factor: RequiredFactor::parse(&self.factor).ok_or("app_rules.factor")?,
            fresh: self.fresh_seconds.map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0))),
            tokens: self.tokens,
            note: self.note,
        })
    }
}
