//! The form of an app's settings.

use std::time::Duration;

use serde::Deserialize;

use super::words;
use crate::apps::AppRefusal;
use crate::apps::{
    App, AppLimits, AppOrigin, Explain, IdentityHeaderName, IdentityHeaders, RemoteUser, Upstream,
    UpstreamHost,
};
use crate::identity::Name;
use crate::web::copy::app_refusals::{UNKNOWN_CHOICE, limit};
use crate::web::http::form::{Fields, FormInput, Preset, Text};

const MEGABYTE: u64 = 1_000_000;

/// The fields that are folded away until one of them is refused.
const FOLDED: [&str; 15] = [
    "remote_user",
    "header_user",
    "header_email",
    "header_name",
    "header_groups",
    "upstream_host",
    "ignore_case",
    "also_from",
    "app_cookies",
    "explain",
    "max_body",
    "connect",
    "head",
    "idle",
    "max_in_flight",
];

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct SettingsForm {
    pub seen: Preset,
    name: Text,
    origins: Text,
    upstream: Text,
    remote_user: Text,
    header_user: Text,
    header_email: Text,
    header_name: Text,
    header_groups: Text,
    upstream_host: Text,
    ignore_case: Text,
    also_from: Text,
    app_cookies: Text,
    explain: Text,
    max_body: Text,
    connect: Text,
    head: Text,
    idle: Text,
    max_in_flight: Text,
}

impl FormInput for SettingsForm {}

/// The form with the settings of an app.
pub fn fields(app: &App) -> Fields {
    let origins =
        |origins: &[AppOrigin]| origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let limits = app.limits;
    let max_body = limits.max_body.map(|bytes| bytes.div_ceil(MEGABYTE).to_string()).unwrap_or_default();
    Fields::new(
        [
            ("name", app.name.clone()),
            ("origins", origins(&app.origins)),
            ("upstream", app.upstream.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("remote_user", app.remote_user.as_str().to_owned()),
            ("header_user", app.header_names.user.to_string()),
            ("header_email", app.header_names.email.to_string()),
            ("header_name", app.header_names.name.to_string()),
            ("header_groups", app.header_names.groups.to_string()),
            ("upstream_host", app.upstream_host.as_str().to_owned()),
            ("ignore_case", if app.ignore_case { "1" } else { "" }.to_owned()),
            ("also_from", origins(&app.also_from)),
            ("app_cookies", app.app_cookies.join(" ")),
            ("explain", app.explain.as_str().to_owned()),
            ("max_body", max_body),
            ("connect", limits.connect.as_secs().to_string()),
            ("head", limits.head.as_secs().to_string()),
            ("idle", limits.idle.as_secs().to_string()),
            ("max_in_flight", limits.max_in_flight.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec(),
    )
}

/// The name of an app; empty if it was refused.
pub fn name(text: &str, fields: &mut Fields) -> String {
    match Name::parse(text) {
        Ok(name) => name.as_str().to_owned(),
        Err(why) => {
            fields.refuse("name", &AppRefusal::Name(why));
            String::new()
        }
    }
}

/// The addresses in a field, as far as they can be read.
pub fn origins(field: &'static str, text: &str, fields: &mut Fields) -> Vec<AppOrigin> {
    let mut origins: Vec<AppOrigin> = Vec::new();
    for word in words(text) {
        match AppOrigin::parse(word) {
            Ok(origin) if origins.contains(&origin) => {}
            Ok(origin) => origins.push(origin),
            Err(why) => {
                fields.refuse(field, why);
                break;
            }
        }
    }
    origins
}

impl SettingsForm {
    /// `app` with the settings of the form, unless a field was refused.
    pub fn apply(&self, app: &App, can_set_upstream: bool, fields: &mut Fields) -> Option<App> {
        let mut changed = app.clone();
        changed.name = name(self.name.as_str(), fields);
        changed.origins = origins("origins", self.origins.as_str(), fields);
        if can_set_upstream {
            self.upstream(&mut changed, fields);
        }
        changed.also_from = origins("also_from", self.also_from.as_str(), fields);
        changed.ignore_case = !self.ignore_case.as_str().is_empty();
        self.choices(&mut changed, fields);
        self.headers(&mut changed, fields);
        changed.app_cookies = words(self.app_cookies.as_str()).map(str::to_owned).collect();
        self.limits(&mut changed.limits, fields);
        unfold(fields);
        fields.errors().is_empty().then_some(changed)
    }

    fn upstream(&self, app: &mut App, fields: &mut Fields) {
        let text = self.upstream.as_str().trim();
        // An app without an upstream keeps it so: another proxy carries its traffic.
        if text.is_empty() && app.upstream.is_none() {
            return;
        }
        let ca = app.upstream.as_ref().and_then(|upstream| upstream.ca.clone());
        let parsed = Upstream::parse(text, None).and_then(|plain| match ca {
            Some(ca) if plain.tls => Upstream::parse(text, Some(&ca)),
            _ => Ok(plain),
        });
        match parsed {
            Ok(upstream) => app.upstream = Some(upstream),
            Err(why) => fields.refuse("upstream", why),
        }
    }

    fn choices(&self, app: &mut App, fields: &mut Fields) {
        match RemoteUser::parse(self.remote_user.as_str()) {
            Some(choice) => app.remote_user = choice,
            None => fields.refuse("remote_user", UNKNOWN_CHOICE),
        }
        match UpstreamHost::parse(self.upstream_host.as_str()) {
            Some(choice) => app.upstream_host = choice,
            None => fields.refuse("upstream_host", UNKNOWN_CHOICE),
        }
        match Explain::parse(self.explain.as_str()) {
            Some(choice) => app.explain = choice,
            None => fields.refuse("explain", UNKNOWN_CHOICE),
        }
    }

    fn headers(&self, app: &mut App, fields: &mut Fields) {
        let mut header = |field: &'static str, text: &Text| {
            IdentityHeaderName::parse(text.as_str().trim()).map_err(|why| fields.refuse(field, why)).ok()
        };
        let names = (
            header("header_user", &self.header_user),
            header("header_email", &self.header_email),
            header("header_name", &self.header_name),
            header("header_groups", &self.header_groups),
        );
        let (Some(user), Some(email), Some(name), Some(groups)) = names else { return };
        app.header_names = IdentityHeaders { user, email, name, groups };
    }

    fn limits(&self, limits: &mut AppLimits, fields: &mut Fields) {
        let mut number = |field: &'static str, text: &Text| -> u32 {
            text.as_str().trim().parse().unwrap_or_else(|_| {
                fields.refuse(field, limit(field));
                0
            })
        };
        let mut seconds = |field, text| Duration::from_secs(number(field, text).into());
        limits.connect = seconds("connect", &self.connect);
        limits.head = seconds("head", &self.head);
        limits.idle = seconds("idle", &self.idle);
        limits.max_in_flight = number("max_in_flight", &self.max_in_flight);
        limits.max_body = match self.max_body.as_str().trim() {
            "" => None,
            _ => Some(u64::from(number("max_body", &self.max_body)) * MEGABYTE),
        };
    }
}

/// Shows why the settings were not accepted, beside the field.
pub fn refuse(fields: &mut Fields, refusal: &AppRefusal) {
    fields.refuse(field_of(refusal), refusal);
    unfold(fields);
}

/// The field that a refusal is about; empty if it is about none.
pub fn field_of(refusal: &AppRefusal) -> &'static str {
    match refusal {
        AppRefusal::Name(_) => "name",
        AppRefusal::SlugTaken | AppRefusal::InvalidSlug => "slug",
        AppRefusal::NoOrigin
        | AppRefusal::Origin { .. }
        | AppRefusal::OriginTaken(_)
        | AppRefusal::PortalOrigin(_)
        | AppRefusal::SameHost(_) => "origins",
        AppRefusal::NoUpstream
        | AppRefusal::Upstream(_)
        | AppRefusal::UpstreamIsOurs
        | AppRefusal::UpstreamNotAllowed => "upstream",
        AppRefusal::Header { .. } | AppRefusal::DuplicateHeader => "header_user",
        AppRefusal::Cookie { .. } => "app_cookies",
        AppRefusal::Limit { field } if FOLDED.contains(field) => field,
        _ => "",
    }
}

fn unfold(fields: &mut Fields) {
    if FOLDED.iter().any(|name| fields.error(name).is_some()) {
        fields.set("more", "1");
    }
}
