//! How two states of an app differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::apps::app::App;
use crate::apps::app_file_entry::AppFileEntry;
use crate::apps::choices::AppSource;
use crate::audit::{AppChange, FieldChange};

/// How a file changes an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDifference {
    pub kind: DifferenceKind,
    pub change: AppChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    Added,
    Changed,
    Removed,
}

/// The difference between two states, of which `None` means that the app does not exist. Returns `None` if they are
/// equal.
pub(super) fn difference(before: Option<&App>, after: Option<&App>) -> Option<AppDifference> {
    let (kind, slug) = match (before, after) {
        (None, Some(after)) => (DifferenceKind::Added, &after.slug),
        (Some(before), None) => (DifferenceKind::Removed, &before.slug),
        (Some(_), Some(after)) => (DifferenceKind::Changed, &after.slug),
        (None, None) => return None,
    };
    let (before, after) = (before.map(fields).unwrap_or_default(), after.map(fields).unwrap_or_default());
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |fields: &Map<String, Value>, name: &String| fields.get(name).cloned().unwrap_or_default();
    let changes: Vec<FieldChange> = names
        .into_iter()
        .map(|name| FieldChange { field: name.clone(), from: value(&before, name), to: value(&after, name) })
        .filter(|change| change.from != change.to)
        .collect();
    let change = AppChange { app: slug.to_string(), changes };
    (kind != DifferenceKind::Changed || !change.changes.is_empty()).then_some(AppDifference { kind, change })
}

/// The fields of an app that differ from their defaults, in the format of a file. Users are written as ids, which
/// reveal nothing about a user who is deleted later.
fn fields(app: &App) -> Map<String, Value> {
    let entry = AppFileEntry::of(app, &|user| user.to_string());
    let mut fields = match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.insert("slug".into(), app.slug.as_str().into());
    if app.source == AppSource::File {
        fields.insert("source".into(), app.source.as_str().into());
    }
    fields
}
