//! Checks the documents: settings and routes are generated from the program (`bin/docs` rewrites them), and links have
//! targets.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use latchkey::config::{SettingRow, Settings};
use latchkey::web::routes::{self, Face, Route};
use serde_json::Value;

use crate::support::generated::check_table;

#[test]
fn settings_md_lists_every_setting_as_it_is_declared() {
    check_table("docs/settings.md", "settings", &settings());
}

#[test]
fn routes_md_lists_every_row_of_the_route_table() {
    check_table("docs/routes.md", "routes", &route_table(&routes::page_table()));
    check_table("docs/routes.md", "api-routes", &api_table(&routes::api_table()));
    check_table("docs/routes.md", "local-routes", &route_table(&routes::local_table()));
}

fn settings() -> String {
    let deployed = rows(&DEPLOYED);
    let strict = rows(&[&DEPLOYED[..], &[("LATCHKEY__SESSIONS__PROFILE", "strict")]].concat());
    let local = rows(&DEPLOYED[..1]);
    let mut sections: Vec<(&str, String)> = vec![("", String::new())];
    for (index, row) in deployed.iter().enumerate() {
        let (section, key) = row.setting.split_once('.').unwrap_or(("", &row.setting));
        let position = sections.iter().position(|(name, _)| *name == section).unwrap_or_else(|| {
            sections.push((section, String::new()));
            sections.len() - 1
        });
        let default = default(row, &strict[index], &local[index]);
        sections[position].1 += &format!("| {} | `{key}` | {default} | {} |\n", variables(row), meaning(row));
    }
    let mut page = String::new();
    for (section, table) in sections {
        let heading = if section.is_empty() { "Top level".to_owned() } else { format!("`[{section}]`") };
        page += &format!(
            "\n## {heading}\n\n| variable | key | default | what it does, and why |\n|---|---|---|---|\n{table}"
        );
    }
    page + "\n"
}

/// The settings that have no default outside local mode; the first has one in local mode.
const DEPLOYED: [(&str, &str); 3] = [
    ("LATCHKEY__SECRET", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("DATABASE_URL", "postgresql://latchkey@db.example.org/latchkey"),
    ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
];

fn rows(environment: &[(&str, &str)]) -> Vec<SettingRow> {
    let environment: HashMap<_, _> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings::from_environment(environment).expect("valid settings").rows()
}

fn variables(row: &SettingRow) -> String {
    let code = |name: &str| match name.strip_suffix(" and others") {
        Some(name) => format!("`{name}` …"),
        None => format!("`{name}`"),
    };
    row.variable.split(", ").map(code).collect::<Vec<_>>().join(", ")
}

/// The declaration's text, if it has one; otherwise the value in force, and how profile or mode change it.
fn default(row: &SettingRow, strict: &SettingRow, local: &SettingRow) -> String {
    if let Some(at) = row.about.iter().position(|line| line.trim().starts_with("Default: ")) {
        return row.about[at..].join("").trim().trim_start_matches("Default: ").to_owned();
    }
    let mut text = shown(&row.value);
    for (row_there, name) in [(strict, "strict"), (local, "in local mode")] {
        if row_there.value != row.value && row_there.setting != "sessions.profile" {
            text += &format!("; {name} {}", shown(&row_there.value));
        }
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text == "(not set)" => "–".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

fn meaning(row: &SettingRow) -> String {
    let lines = row.about.iter().take_while(|line| !line.trim().starts_with("Default: "));
    let text = lines.map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    assert!(
        !text.is_empty() && !text.contains('|'),
        "{}: say above its declaration what it does",
        row.setting
    );
    text
}

fn route_table(rows: &[Route]) -> String {
    let mut table = "| guard | verb | path | notes |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let verb = format!("{:?}", row.method).to_uppercase();
        table += &format!("| `{:?}` | {verb} | `{}` | {} |\n", row.guard, row.path, notes(row));
    }
    table
}

fn api_table(rows: &[Route]) -> String {
    let mut table = "| scope | verb | path | what it does |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let operation = row.operation.expect("an operation of the API");
        let scope = operation.scope.map_or("none".to_owned(), |scope| format!("`{}`", scope.as_str()));
        table += &format!("| {scope} | {} | `{}` | {} |\n", row.method.as_str(), row.path, operation.title);
    }
    table
}

fn notes(row: &Route) -> String {
    let fields = row.texts.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (row.face == Face::Json, row.is_shown_again, fields.is_empty()) {
        (true, ..) => "JSON".to_owned(),
        (false, true, false) => format!("returned filled in: {fields}"),
        (false, true, true) => "returned to its page".to_owned(),
        (false, false, false) => format!("text fields: {fields}"),
        (false, false, true) => String::new(),
    }
}

#[test]
fn every_relative_link_in_the_documents_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = match path {
                "" => page.clone(),
                path => page.parent().expect("a directory").join(path),
            };
            let leads = if anchor.is_empty() {
                file.exists()
            } else {
                file.is_file() && anchors(&read(&file)).iter().any(|known| known == anchor)
            };
            if !leads {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_document_says_first_who_reads_it() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for page in pages().iter().filter(|page| page.parent() == Some(docs.as_path())) {
        let text = read(page);
        let first = text.lines().filter(|line| !line.is_empty()).nth(1).unwrap_or_default();
        assert!(first.starts_with("*For "), "{}: {first}", page.display());
    }
}

/// Decisions that are long arguments, with a structure of their own.
const ARGUMENTS: [&str; 2] = ["cache-lease.md", "key-hand-over.md"];

#[test]
fn every_decision_gives_its_context_and_what_was_rejected() {
    for page in pages().iter().filter(|page| page.parent().is_some_and(|dir| dir.ends_with("decisions"))) {
        if ARGUMENTS.iter().any(|name| page.ends_with(name)) {
            continue;
        }
        let text = read(page);
        let parts = ["**Context.**", "**Decision", "**Rejected.**"].map(|part| text.find(part));
        assert!(parts.iter().all(Option::is_some) && parts.is_sorted(), "{}: {parts:?}", page.display());
    }
}

/// The files at the root, and those below `docs/`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for directory in [root.to_owned(), root.join("docs"), root.join("docs/decisions")] {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 30, "{pages:?}");
    pages
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The targets of relative links outside of code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let outside: String = prose.split('`').step_by(2).collect();
    let targets = outside.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect()
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let prose: String = text.split("\n```").step_by(2).collect();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}
