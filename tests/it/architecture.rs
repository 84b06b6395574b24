//! Checks docs/architecture.md: the sizes of rooms and services, and that everything it names exists.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use crate::support::files::{files_with, root};
use crate::support::generated::check_table;

const PAGE: &str = "docs/architecture.md";

/// A service with more methods has more than one task.
const MOST_METHODS: usize = 30;

/// A room, its lines before it was split off, and its services.
struct Room {
    name: &'static str,
    directory: &'static str,
    before: &'static str,
    services: &'static [&'static str],
}

const fn room(
    name: &'static str,
    directory: &'static str,
    before: &'static str,
    services: &'static [&'static str],
) -> Room {
    Room { name, directory, before, services }
}

const IN_ACCOUNTS: &str = "in accounts";

const ROOMS: [Room; 29] = [
    room("crates/db", "crates/db/src", "in db", &["Db"]),
    room("crates/local-postgres", "crates/local-postgres/src", "in db", &[]),
    room("crates/sessions", "crates/sessions/src", "3,113", &["Store"]),
    room("config", "src/config", "2,044", &[]),
    room("db", "src/db", "2,497", &[]),
    room("mail", "src/mail", "986", &["Mailer"]),
    room("identity", "src/identity", IN_ACCOUNTS, &[]),
    room("passwords", "src/passwords", IN_ACCOUNTS, &["Passwords"]),
    room("audit", "src/audit", IN_ACCOUNTS, &["Audit"]),
    room("throttle", "src/throttle", IN_ACCOUNTS, &[]),
    room("notices", "src/notices", IN_ACCOUNTS, &["Notices"]),
    room("factors", "src/factors", IN_ACCOUNTS, &["Factors"]),
    room("cleanup", "src/cleanup", IN_ACCOUNTS, &["Cleaner"]),
    room("login", "src/login", IN_ACCOUNTS, &["Login"]),
    room("recovery", "src/recovery", IN_ACCOUNTS, &["Recovery"]),
    room("registration", "src/registration", IN_ACCOUNTS, &["Registration"]),
    room("users", "src/users", IN_ACCOUNTS, &["Users", "Administration"]),
    room("maintenance", "src/maintenance", IN_ACCOUNTS, &["Maintenance"]),
    room("groups", "src/groups", "none", &["Groups"]),
    room("apps", "src/apps", "none", &["Apps"]),
    room("tokens", "src/tokens", "none", &["Tokens"]),
    room("lab", "src/lab", "3,287", &["Lab"]),
    room("web/http", "src/web/http", "in web", &[]),
    room("web/session", "src/web/session", "in web", &[]),
    room("web/front", "src/web/front", "none", &[]),
    room("web/proxy", "src/web/proxy", "none", &[]),
    room("web/api", "src/web/api", "none", &[]),
    room("web/pages", "src/web/pages", "in web", &[]),
    room("cli", "src/cli", "4,266", &[]),
];

fn texts(directory: &str) -> Vec<String> {
    files_with(&root().join(directory), "rs")
        .iter()
        .map(|file| fs::read_to_string(file).expect("a source"))
        .collect()
}

/// The methods of `service` that other rooms can call.
fn methods(service: &str, texts: &[String]) -> usize {
    let is_block = |line: &str| {
        let head = line.strip_prefix("impl").unwrap_or_default();
        let head = head.strip_prefix("<O: Owner>").unwrap_or(head).trim_start();
        let rest = head.strip_prefix(service).unwrap_or_default();
        rest == " {" || rest == "<O> {"
    };
    let is_method = |line: &str| {
        let line = line.strip_prefix("    pub(crate) ").or_else(|| line.strip_prefix("    pub "));
        line.is_some_and(|line| ["fn ", "async fn ", "const fn "].iter().any(|kind| line.starts_with(kind)))
    };
    let mut count = 0;
    for text in texts {
        let mut inside = false;
        for line in text.lines() {
            inside = if inside { line != "}" } else { is_block(line) };
            count += usize::from(inside && is_method(line));
        }
    }
    count
}

fn with_comma(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

fn table() -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for Room { name, directory, before, services } in ROOMS {
        let texts = texts(directory);
        let lines: usize = texts.iter().map(|text| text.lines().count()).sum();
        let services: Vec<String> = services
            .iter()
            .map(|service| {
                let count = methods(service, &texts);
                assert!(count > 0, "no method of {service} in {directory}");
                // The store of a library has callers in more than one room.
                assert!(count <= MOST_METHODS || *service == "Store", "{service} has {count} methods");
                format!("`{service}` {count}")
            })
            .collect();
        rows.push([format!("`{name}`"), before.to_owned(), with_comma(lines), services.join(", ")]);
    }
    rows
}

/// The numbers of a cell.
fn numbers(cell: &str) -> Vec<usize> {
    let digits = cell.replace(',', "");
    digits.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// A change of a few lines requires no new table: lines may differ by a tenth, methods by two.
#[test]
fn the_rooms_are_as_large_as_the_table_says() {
    let rows = table();
    if env::var_os("LATCHKEY_REWRITE_DOCS").is_some() {
        let lines: String = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
        let head = "| room | lines before | lines | service: methods |\n|---|--:|--:|---|\n";
        return check_table(PAGE, "rooms", &format!("{head}{lines}"));
    }
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let listed = page.split("<!-- rooms -->").nth(1).expect("the table");
    for row in rows {
        let line = listed.lines().find(|line| line.starts_with(&format!("| {} |", row[0])));
        let cells: Vec<&str> = line.unwrap_or_else(|| panic!("no row {}", row[0])).split(" | ").collect();
        let (said, counted) = (numbers(cells[2])[0], numbers(&row[2])[0]);
        assert!(
            said.abs_diff(counted) * 10 <= counted,
            "{}: {said} lines, not {counted}: run bin/docs",
            row[0]
        );
        let (said, counted) = (numbers(&cells[3].replace(" |", "")), numbers(&row[3]));
        let is_close = said.iter().zip(&counted).all(|(said, counted)| said.abs_diff(*counted) <= 2);
        assert!(said.len() == counted.len() && is_close, "{}: {}: run bin/docs", row[0], row[3]);
    }
}

/// The text between backticks in a line; not the text in blocks of code.
fn code_spans(page: &str) -> BTreeSet<String> {
    let text: String = page.split("```").step_by(2).collect();
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned));
    spans.collect()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Whether it exists below one of these directories, as the documents name it.
fn exists(path: &str) -> bool {
    let below = ["", "src", "crates/sessions/src", "tests/it", "docs"];
    below.iter().any(|base| root().join(base).join(path).exists())
}

#[test]
fn every_file_that_is_named_exists() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let mut named = 0;
    for span in code_spans(&page) {
        let is_file = [".rs", ".html", ".md", ".sql"].iter().any(|end| span.ends_with(end));
        let is_path = is_file || (span.ends_with('/') && !span.starts_with('/'));
        if is_path && !span.contains('…') && !span.contains('{') {
            named += 1;
            assert!(exists(&span), "{PAGE} names {span}");
        }
    }
    assert!(named > 20, "{named} files");
}

#[test]
fn every_source_that_a_document_names_exists() {
    let mut named = 0;
    for directory in ["docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(directory)).expect("documents") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = fs::read_to_string(&path).expect("a document");
            for span in code_spans(&page) {
                if span.ends_with(".rs") && span.contains('/') && !span.contains('…') {
                    named += 1;
                    assert!(exists(&span), "{} names {span}", path.display());
                }
            }
        }
    }
    assert!(named > 30, "{named} files");
}

/// Whether a name such as `Login::authenticate` exists. A name that was changed everywhere else is in no source.
#[test]
fn every_symbol_that_is_named_exists() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let code: String = ["src", "crates", "tests/it"].iter().flat_map(|directory| texts(directory)).collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut named = 0;
    for span in code_spans(&page) {
        let span = span.split(['<', '(']).next().unwrap_or_default();
        let parts: Vec<&str> = span.split("::").collect();
        let is_type = span.chars().next().is_some_and(char::is_uppercase) && is_identifier(span);
        if !parts.iter().all(|part| is_identifier(part)) || (parts.len() == 1 && !is_type) {
            continue;
        }
        named += 1;
        for part in parts {
            assert!(words.contains(part), "{PAGE} names {span}, and no source has {part}");
        }
    }
    assert!(named > 20, "{named} symbols");
}
