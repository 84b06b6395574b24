//! Reads `latchkey.toml` and the environment, and records the source of each value.

use config::{Config, ConfigError, Environment, File, FileFormat, Value, ValueKind};

use super::Misconfigured;
use super::problems::Problems;
use super::raw::RawSettings;
use super::sources::{Source, Sources};
use super::variables::Variables;

/// A value from one source.
struct Leaf {
    path: String,
    value: Value,
    source: Source,
}

/// The raw settings; the environment overrides the file.
pub(super) fn read(variables: &Variables) -> Result<(RawSettings, Sources), Misconfigured> {
    let (name, required) = match variables.get("LATCHKEY_CONFIG") {
        Some(name) => (name, true),
        None => ("latchkey.toml", false),
    };
    let file = Config::builder()
        .add_source(File::new(name, FileFormat::Toml).required(required))
        .build()
        .map(tidy)
        .map_err(|error| Misconfigured::new(unreadable(&error)))?;
    let environment = environment(variables.ours());
    let merged = Config::builder()
        .add_source(file.clone())
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize::<RawSettings>);
    let mut leaves = Vec::new();
    collect(&file.cache, String::new(), &Source::File(name.to_owned()), &mut leaves);
    for (name, value) in variables.ours() {
        leaves.push(Leaf {
            path: name["LATCHKEY__".len()..].to_lowercase().replace("__", "."),
            value: Value::new(None, value),
            source: Source::Variable(name.to_owned()),
        });
    }
    match merged {
        Ok(written) => {
            let mut sources = Sources::default();
            // The environment comes last and overrides the file.
            leaves.into_iter().for_each(|leaf| sources.set(leaf.path, leaf.source));
            Ok((written, sources))
        }
        Err(error) => Err(refuse(&error, leaves)),
    }
}

fn environment<'v>(variables: impl Iterator<Item = (&'v str, &'v str)>) -> Environment {
    Environment::with_prefix("LATCHKEY")
        .prefix_separator("__")
        .separator("__")
        .source(Some(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

/// Trims the texts of a file and removes empty ones.
fn tidy(mut file: Config) -> Config {
    fn tidied(value: &mut Value) {
        match &mut value.kind {
            ValueKind::String(text) => *text = text.trim().to_owned(),
            ValueKind::Table(table) => {
                table.values_mut().for_each(tidied);
                table.retain(|_, value| !matches!(&value.kind, ValueKind::String(text) if text.is_empty()));
            }
            _ => {}
        }
    }
    tidied(&mut file.cache);
    file
}

fn collect(value: &Value, path: String, source: &Source, leaves: &mut Vec<Leaf>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, path, source, leaves);
            }
        }
        _ => leaves.push(Leaf { path, value: value.clone(), source: source.clone() }),
    }
}

/// The first line of a parse error. The others quote the file, which may contain a secret.
fn unreadable(error: &ConfigError) -> String {
    match error {
        ConfigError::FileParse { uri, cause } => {
            let (file, cause) = (uri.as_deref().unwrap_or("the file"), cause.to_string());
            format!("{file}: {}", cause.lines().next().unwrap_or_default().trim_end())
        }
        other => other.to_string(),
    }
}

/// Names every value that is invalid by itself, and its source.
fn refuse(error: &ConfigError, leaves: Vec<Leaf>) -> Misconfigured {
    let mut problems = Problems::default();
    let mut refused: Vec<String> = leaves.into_iter().filter_map(refusal).collect();
    refused.sort();
    refused.into_iter().for_each(|problem| problems.add(problem));
    match problems.check() {
        Err(wrong) => wrong,
        Ok(()) => Misconfigured::new(error.to_string()),
    }
}

fn refusal(leaf: Leaf) -> Option<String> {
    let Leaf { path, value, source } = leaf;
    let place = match &source {
        Source::File(name) => format!("{name}: {path}"),
        other => other.to_string(),
    };
    let alone = Config::builder()
        .set_override(&path, value)
        .and_then(|builder| builder.build())
        .and_then(Config::try_deserialize::<RawSettings>);
    let why = alone.err()?.to_string();
    // `place` names the setting already.
    let why = why.split(" for key `").next().unwrap_or_default();
    Some(format!("{place}: {why}"))
}
