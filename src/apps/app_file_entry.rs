//! An app as it is written in a file. Events use the same format to record a change.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::apps::app::{App, AppLimits};
use crate::apps::app_refusal::AppRefusal;
use crate::apps::choices::{AppMode, AppSource, Explain, RemoteUser, UpstreamHost};
use crate::apps::entry_duration::written;
use crate::apps::header_names::{IdentityHeaderName, IdentityHeaders};
use crate::apps::ids::Slug;
use crate::apps::origin::AppOrigin;
use crate::apps::rule::Rule;
use crate::apps::rule_entry::RuleEntry;
use crate::apps::upstream::Upstream;
use crate::apps::user_lookup::UserLookup;
use crate::config::Span;
use crate::db::Failed;
use crate::identity::UserId;

/// The settings of an app, as in a file of apps. Fields that are left out have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppFileEntry {
    /// The name that users see. Default: the short name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether requests reach the app. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    /// `proxy`: Latchkey is the reverse proxy of the app. `forward-auth`: another proxy asks Latchkey about each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    /// The addresses that users open, such as `https://wiki.example.org`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    origins: Vec<String>,
    /// Where the app listens, such as `http://10.0.0.5:3000`. Required in the mode `proxy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    /// Certificates (PEM) to trust for the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ca: Option<String>,
    /// The `Host` that the upstream receives: `kept`, as in the request, or `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// The content of the identity header of the user: `id` or `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_user: Option<String>,
    /// Other sites whose pages may send requests to the app.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_from: Vec<String>,
    /// The cookies in which the app keeps its own session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    app_cookies: Vec<String>,
    /// Whether the app ignores case in paths. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_case: Option<bool>,
    /// What a refused user learns about the reason: `off`, `reason` or `groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<String>,
    /// The most bytes in the body of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
    /// The time to connect to the upstream, such as `2s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<String>,
    /// The time until the upstream has sent the head of its response, such as `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// The time without data in either direction, such as `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<String>,
    /// The most requests at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<u32>,
    /// The code of the Close frame that ends a websocket when its user loses access.
    #[serde(skip_serializing_if = "Option::is_none")]
    close_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "from_fields")]
    headers: Option<HeadersEntry>,
    /// If left out: an app that exists keeps its rules, and a new one has none; in a file, those of a new app. An empty list
    /// lets no one in.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<RuleEntry>>,
}

/// The names of the identity headers that differ from the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct HeadersEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<String>,
}

/// Accepts only a table or an object: serde would also accept an array with the values in their order.
fn from_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeadersEntry>, D::Error> {
    struct HeadersVisitor;

    impl<'de> Visitor<'de> for HeadersVisitor {
        type Value = Option<HeadersEntry>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("headers")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
            HeadersEntry::deserialize(MapAccessDeserializer::new(fields)).map(Some)
        }
    }

    deserializer.deserialize_any(HeadersVisitor)
}

/// The choice that a text names; the default if there is no text.
macro_rules! choice {
    ($kind:ident, $text:expr, $field:literal) => {
        match &$text {
            None => $kind::default(),
            Some(text) => $kind::parse(text).ok_or_else(|| AppRefusal::Choice {
                field: $field,
                text: text.clone(),
                choices: $kind::ALL.iter().map(|choice| choice.as_str()).collect(),
            })?,
        }
    };
}

impl AppFileEntry {
    /// The app that this entry describes, with a new id.
    ///
    /// * `local`: the origin and the rules if the entry names none.
    /// * `user`: finds the id of a user who is written as an email address or an id.
    pub(super) fn app(
        &self,
        slug: Slug,
        source: AppSource,
        local: &(Option<AppOrigin>, Vec<Rule>),
        user: &mut UserLookup<'_>,
    ) -> Result<App, Failed<AppRefusal>> {
        let mut app = self.without_rules(slug, source, local.0.as_ref()).map_err(Failed::Refused)?;
        let Some(rules) = &self.rules else {
            app.rules = local.1.clone();
            return Ok(app);
        };
        for (at, rule) in rules.iter().enumerate() {
            app.rules.push(rule.rule(at, user)?);
        }
        Ok(app)
    }

    fn without_rules(
        &self,
        slug: Slug,
        source: AppSource,
        local: Option<&AppOrigin>,
    ) -> Result<App, AppRefusal> {
        let upstream = self.upstream.as_deref();
        let upstream = upstream.map(|text| Upstream::parse(text, self.upstream_ca.as_deref()));
        let mut origins = parsed_origins(&self.origins)?;
        if origins.is_empty() {
            origins.extend(local.cloned());
        }
        let mut app = App::new(slug, upstream.transpose().map_err(AppRefusal::Upstream)?, origins);
        let limits = AppLimits::default();
        app.source = source;
        if let Some(name) = &self.name {
            app.name = name.clone();
        }
        app.enabled = self.enabled.unwrap_or(true);
        app.mode = choice!(AppMode, self.mode, "mode");
        app.upstream_host = choice!(UpstreamHost, self.host, "host");
        app.remote_user = choice!(RemoteUser, self.remote_user, "remote_user");
        app.explain = choice!(Explain, self.explain, "explain");
        app.also_from = parsed_origins(&self.also_from)?;
        app.app_cookies = self.app_cookies.clone();
        app.ignore_case = self.ignore_case.unwrap_or(false);
        app.header_names = self.headers.clone().unwrap_or_default().names()?;
        app.close_code = self.close_code.unwrap_or(app.close_code);
        app.limits = AppLimits {
            max_body: self.max_body,
            connect: duration(&self.connect, "connect", limits.connect)?,
            head: duration(&self.head, "head", limits.head)?,
            idle: duration(&self.idle, "idle", limits.idle)?,
            max_in_flight: self.max_in_flight.unwrap_or(limits.max_in_flight),
        };
        Ok(app)
    }

    /// The entry that describes `app`. Fields that have their defaults are left out.
    pub(super) fn of(app: &App, user: &dyn Fn(UserId) -> String) -> Self {
        let plain = App::new(app.slug.clone(), None, Vec::new());
        let text = |value: &'static str, default: &'static str| (value != default).then(|| value.to_owned());
        let span = |value: Duration, default: Duration| (value != default).then(|| written(value));
        let texts = |origins: &[AppOrigin]| origins.iter().map(ToString::to_string).collect();
        Self {
            name: (app.name != plain.name).then(|| app.name.clone()),
            enabled: (!app.enabled).then_some(false),
            mode: text(app.mode.as_str(), plain.mode.as_str()),
            origins: texts(&app.origins),
            upstream: app.upstream.as_ref().map(ToString::to_string),
            upstream_ca: app.upstream.as_ref().and_then(|upstream| upstream.ca.clone()),
            host: text(app.upstream_host.as_str(), plain.upstream_host.as_str()),
            remote_user: text(app.remote_user.as_str(), plain.remote_user.as_str()),
            also_from: texts(&app.also_from),
            app_cookies: app.app_cookies.clone(),
            ignore_case: app.ignore_case.then_some(true),
            explain: text(app.explain.as_str(), plain.explain.as_str()),
            max_body: app.limits.max_body,
            connect: span(app.limits.connect, plain.limits.connect),
            head: span(app.limits.head, plain.limits.head),
            idle: span(app.limits.idle, plain.limits.idle),
            max_in_flight: (app.limits.max_in_flight != plain.limits.max_in_flight)
                .then_some(app.limits.max_in_flight),
            close_code: (app.close_code != plain.close_code).then_some(app.close_code),
            headers: HeadersEntry::of(&app.header_names),
            rules: Some(app.rules.iter().map(|rule| RuleEntry::of(rule, user)).collect()),
        }
    }

    /// What a program can change about `app`. Users are written as ids, so that it does not change with their addresses.
    pub fn version(app: &App) -> Value {
        serde_json::to_value(Self::of(app, &|user| user.to_string())).unwrap_or_default()
    }

    /// The users that the rules name, as they are written.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flatten().flat_map(RuleEntry::users)
    }

    /// The groups that the rules name.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flatten().flat_map(RuleEntry::groups)
    }
}

impl HeadersEntry {
    fn names(self) -> Result<IdentityHeaders, AppRefusal> {
        let default = IdentityHeaders::default();
        let name = |text: Option<String>, default: IdentityHeaderName| match text {
            None => Ok(default),
            Some(text) => IdentityHeaderName::parse(&text).map_err(|why| AppRefusal::Header { text, why }),
        };
        Ok(IdentityHeaders {
            user: name(self.user, default.user)?,
            email: name(self.email, default.email)?,
            name: name(self.name, default.name)?,
            groups: name(self.groups, default.groups)?,
        })
    }

    fn of(names: &IdentityHeaders) -> Option<Self> {
        let default = IdentityHeaders::default();
        let name = |own: &IdentityHeaderName, default: &IdentityHeaderName| {
            (own != default).then(|| own.to_string())
        };
        (*names != default).then(|| Self {
            user: name(&names.user, &default.user),
            email: name(&names.email, &default.email),
            name: name(&names.name, &default.name),
            groups: name(&names.groups, &default.groups),
        })
    }
}

fn parsed_origins(texts: &[String]) -> Result<Vec<AppOrigin>, AppRefusal> {
    let origin =
        |text: &String| AppOrigin::parse(text).map_err(|why| AppRefusal::Origin { text: text.clone(), why });
    texts.iter().map(origin).collect()
}

fn duration(text: &Option<String>, field: &'static str, default: Duration) -> Result<Duration, AppRefusal> {
    match text {
        None => Ok(default),
        Some(text) => Span::parse(text).map(Span::std).ok_or(AppRefusal::Duration { field }),
    }
}
