//! The changes of apps and groups that an event records, in words.

use serde_json::Value;

use crate::audit::{AppChange, FieldChange};
use crate::unicode::direction::isolated;

/// "wiki, upstream from http://a to http://b, rules changed".
pub(super) fn app_change(change: &AppChange) -> String {
    let fields = change.changes.iter().filter(|field| field.field != "slug");
    let fields: Vec<String> = fields.map(field_change).collect();
    std::iter::once(change.app.clone()).chain(fields).collect::<Vec<_>>().join(", ")
}

/// All changes of a file, apps first.
pub(super) fn applied_changes(applied: &[AppChange], groups: &[String]) -> String {
    let apps = applied.iter().map(app_change);
    let groups = groups.iter().map(|group| format!("group {group} added"));
    apps.chain(groups).collect::<Vec<_>>().join("; ")
}

/// "note from “a” to “b”".
pub(super) fn field_change(change: &FieldChange) -> String {
    let field = change.field.replace('_', " ");
    match (text(&change.from), text(&change.to)) {
        (Some(from), Some(to)) => format!("{field} from {from} to {to}"),
        (Some(from), None) if change.to.is_null() => format!("{field} {from} removed"),
        (None, Some(to)) if change.from.is_null() => format!("{field} {to}"),
        _ => format!("{field} changed"),
    }
}

/// A value that fits into a sentence.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => Some("nothing".to_owned()),
        Value::String(text) if text.lines().count() == 1 => Some(isolated(text).to_string()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            texts.filter(|texts| !texts.is_empty()).map(|texts| isolated(&texts.join(" ")).to_string())
        }
        Value::String(_) | Value::Object(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(field: &str, from: Value, to: Value) -> FieldChange {
        FieldChange { field: field.to_owned(), from, to }
    }

    #[test]
    fn a_change_of_an_app_names_each_field_with_its_values() {
        let changes = vec![
            change("slug", json!(null), json!("wiki")),
            change("upstream", json!("http://a"), json!("http://b")),
            change("max_body", json!(null), json!(5)),
            change("app_cookies", json!(["a", "b"]), json!(null)),
            change("rules", json!([{"all": true}]), json!([])),
        ];
        let said = app_change(&AppChange { app: "wiki".to_owned(), changes });
        assert_eq!(
            said,
            "wiki, upstream from http://a to http://b, max body 5, app cookies a b removed, rules changed"
        );
    }
}
