//! The settings as `latchkey config` shows them.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::limits::{
    AuditSettings, DeletionSettings, Hashing, LinkLifetimes, PasswordLimits, RawSessions, ThrottleLimits,
};
use super::raw::{RawApps, RawFront, RawMetrics, RawServer, RawSettings};
use super::sources::{Source, variable};
use super::{Settings, Switch, database, mail};

/// One setting for `latchkey config`.
#[derive(Debug, Serialize)]
pub struct SettingRow {
    /// The section and the key in the file.
    pub setting: String,
    pub value: Value,
    /// The source of the value.
    pub from: String,
    /// The variables that can set it; the first one that is set wins.
    pub variable: String,
    /// What the setting does and why its default is what it is, for `docs/settings.md`.
    #[serde(skip)]
    pub about: &'static [&'static str],
}

impl Settings {
    /// Every setting with its value; secrets and passwords are replaced.
    pub fn rows(&self) -> Vec<SettingRow> {
        let written = serde_json::to_value(RawSettings::default()).unwrap_or_default();
        let mut paths = Vec::new();
        leaves(&written, "", &mut paths);
        let values = self.as_written();
        paths
            .into_iter()
            .map(|path| SettingRow {
                value: values.pointer(&format!("/{}", path.replace('.', "/"))).cloned().unwrap_or_default(),
                from: self.sources.of(&path).to_string(),
                variable: self.variables(&path),
                about: about(&path),
                setting: path,
            })
            .collect()
    }

    fn variables(&self, path: &str) -> String {
        let own = variable(path);
        match path {
            "server.port" => format!("PORT, {own}"),
            "database.url" => {
                let connection = self.choreo_connection.to_uppercase().replace(['-', ' '], "_");
                format!(
                    "DATABASE_URL, {own}, PGHOST, PGSERVICE, PGDATABASE, CHOREO_{connection}_HOSTNAME and others"
                )
            }
            _ => own,
        }
    }

    /// The values in the structure of the file.
    fn as_written(&self) -> Value {
        let mut values = serde_json::to_value(self).unwrap_or_default();
        if let Some(Value::Object(pool)) = values.pointer_mut("/database/pool").map(Value::take) {
            values["database"].as_object_mut().into_iter().for_each(|database| database.extend(pool.clone()));
        }
        if self.is_local() {
            values["database"]["url"] = json!("(local mode: Latchkey starts Postgres)");
        }
        values["database"]["choreo_connection"] = json!(self.choreo_connection);
        let metrics = self.metrics;
        values["metrics"] = json!({ "bind": metrics.map(|address| address.ip()), "port": metrics.map(|address| address.port()) });
        let front = self.front;
        values["front"] = json!({ "bind": front.bind, "port": front.port, "hops": front.hops });
        values["sessions"]["cache"] = json!(if self.sessions.cached == 0 { Switch::Off } else { Switch::On });
        values
    }
}

fn redacted(url: &Option<SecretString>) -> Option<String> {
    url.as_ref().map(|url| database::redacted(url.expose_secret()))
}

/// The comment above the declaration of the setting at `path`.
fn about(path: &str) -> &'static [&'static str] {
    let (section, key) = path.split_once('.').unwrap_or(("", path));
    let group = match section {
        "server" => RawServer::ABOUT,
        "database" => database::RawDatabase::ABOUT,
        "mail" => mail::RawMail::ABOUT,
        "metrics" => RawMetrics::ABOUT,
        "front" => RawFront::ABOUT,
        "sessions" => RawSessions::ABOUT,
        "passwords" => PasswordLimits::ABOUT,
        "hashing" => Hashing::ABOUT,
        "throttle" => ThrottleLimits::ABOUT,
        "tokens" => LinkLifetimes::ABOUT,
        "leaving" => DeletionSettings::ABOUT,
        "audit" => AuditSettings::ABOUT,
        "apps" => RawApps::ABOUT,
        _ => RawSettings::ABOUT,
    };
    group.iter().find(|(name, _)| *name == key).map_or(&[], |(_, about)| about)
}

/// The paths of all settings, such as `server.port`.
fn leaves(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(value, &path, paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}

impl Serialize for Settings {
    /// The output of `latchkey config --json`; secrets and passwords are replaced.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hidden = |present: bool| if present { "(set)" } else { "(not set)" };
        json!({
            "mode": if self.is_local() { "local" } else { "deployed" },
            "server": {
                "bind": self.server.bind, "port": self.server.port, "public_url": self.server.public.as_str(),
                "trusted_hops": self.server.trusted_hops, "workers": self.server.workers,
                "hsts_subdomains": self.server.hsts_subdomains,
            },
            "database": {
                "url": redacted(&self.database),
                "direct_url": redacted(&self.database_direct),
                "pool": self.pool,
            },
            "data_dir": self.data_dir,
            "secret": hidden(self.sources.of("secret") != Source::NotCreatedYet),
            "secret_previous": hidden(self.secret.has_previous()),
            "metrics": self.metrics,
            "front": { "bind": self.front.bind, "port": self.front.port, "hops": self.front.hops },
            "mail": {
                "transport": self.mail.transport, "from": self.mail.from, "ehlo": self.mail.ehlo,
                "smtp_url": redacted(&self.mail.smtp_url), "keep": self.mail.keep,
            },
            "registration": self.registration,
            "compare": self.compare,
            "sessions": self.sessions,
            "passwords": self.passwords,
            "hashing": self.hashing,
            "throttle": self.throttle,
            "tokens": self.tokens,
            "leaving": self.leaving,
            "audit": self.audit,
            "apps": { "upstreams_from": self.apps.upstreams_from },
        })
        .serialize(serializer)
    }
}
