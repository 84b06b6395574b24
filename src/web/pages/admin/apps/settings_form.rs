//! The form of an app's settings.

use std::time::Duration;

use serde::Deserialize;

use super::words;
use crate::apps::{
    App, AppLimits, AppOrigin, Explain, IdentityHeaderName, IdentityHeaders, RemoteUser, Upstream, UpstreamHost,
};
use crate::web::copy::app_refusals::{
    INVALID_COOKIE, NO_NAME, NO_ORIGIN, SAME_HEADER, UNKNOWN_CHOICE, out_of_range, too_long,
};
use crate::web::http::form::{Fields, FormInput, Preset, Text};

/// The longest name of an app, in characters.
const LONGEST_NAME: usize = 80;
const MEGABYTE: u64 = 1_000_000;
/// Longest time limit, in seconds.
const LONGEST_WAIT: u64 = 3_600;

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
    let origins = |origins: &[AppOrigin]| {
        origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
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
    let name = text.trim();
    if name.is_empty() {
        fields.refuse("name", NO_NAME);
    } else if name.chars().count() > LONGEST_NAME {
        fields.refuse("name", too_long(LONGEST_NAME));
    }
    name.to_owned()
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
        if changed.origins.is_empty() && fields.error("origins").is_none() {
            fields.refuse("origins", NO_ORIGIN);
        }
        if can_set_upstream {
            self.upstream(&mut changed, fields);
        }
        changed.also_from = origins("also_from", self.also_from.as_str(), fields);
        changed.ignore_case = !self.ignore_case.as_str().is_empty();
        self.choices(&mut changed, fields);
        self.headers(&mut changed, fields);
        self.cookies(&mut changed, fields);
        self.limits(&mut changed.limits, fields);
        if FOLDED.iter().any(|name| fields.error(name).is_some()) {
            fields.set("more", "1");
        }
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
        if app.header_names.has_duplicate() {
            fields.refuse("header_user", SAME_HEADER);
        }
    }

    fn cookies(&self, app: &mut App, fields: &mut Fields) {
        // The characters of a token, RFC 9110 §5.6.2.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let cookies: Vec<String> = words(self.app_cookies.as_str()).map(str::to_owned).collect();
        if cookies.iter().any(|name| !name.bytes().all(is_token)) {
            fields.refuse("app_cookies", INVALID_COOKIE);
        }
        app.app_cookies = cookies;
    }

    fn limits(&self, limits: &mut AppLimits, fields: &mut Fields) {
        let mut number = |field: &'static str, text: &Text, high: u64| {
            let number = text.as_str().trim().parse::<u64>().ok().filter(|number| (1..=high).contains(number));
            if number.is_none() {
                fields.refuse(field, out_of_range(1, high));
            }
            number.unwrap_or(1)
        };
        let mut seconds = |field, text| Duration::from_secs(number(field, text, LONGEST_WAIT));
        limits.connect = seconds("connect", &self.connect);
        limits.head = seconds("head", &self.head);
        limits.idle = seconds("idle", &self.idle);
        limits.max_in_flight = u32::try_from(number("max_in_flight", &self.max_in_flight, 100_000)).unwrap_or(1);
        limits.max_body = match self.max_body.as_str().trim() {
            "" => None,
            _ => Some(number("max_body", &self.max_body, 1_000_000) * MEGABYTE),
        };
    }
}
