//! `latchkey config`.

use super::Failure;
use crate::config::Settings;

pub fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let shown = serde_json::to_value(settings)?;
    if json {
        say!("{shown}");
    } else {
        print("", &shown)?;
    }
    Ok(())
}

/// `section.key = value`, a line each.
fn print(prefix: &str, value: &serde_json::Value) -> Result<(), Failure> {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                print(&name, value)?;
            }
        }
        other => say!("{prefix} = {other}"),
    }
    Ok(())
}
