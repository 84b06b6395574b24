//! Checks docs/asvs.md: every requirement is answered, and every test, file and section that an answer names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reqwest::Method;

use crate::support::app::TestApp;
use crate::support::files::root;

/// The requirements of ASVS 5.0.0 that concern Latchkey: chapter and section, then each number with its level.
const LIST: &[(&str, &[(u8, u8)])] = &[
    ("1.1", &[(1, 2), (2, 2)]),
    ("1.2", &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (9, 2), (10, 3)]),
    ("1.3", &[(2, 1), (3, 2), (6, 2), (7, 2), (10, 2), (11, 2), (12, 3)]),
    ("1.4", &[(1, 2), (2, 2), (3, 2)]),
    ("1.5", &[(2, 2), (3, 3)]),
    ("2.1", &[(1, 1), (2, 2), (3, 2)]),
    ("2.2", &[(1, 1), (2, 1), (3, 2)]),
    ("2.3", &[(1, 1), (2, 2), (3, 2), (4, 2), (5, 3)]),
    ("2.4", &[(1, 2), (2, 3)]),
    ("3.1", &[(1, 3)]),
    ("3.2", &[(1, 1), (2, 1), (3, 3)]),
    ("3.3", &[(1, 1), (2, 2), (3, 2), (4, 2), (5, 3)]),
    ("3.4", &[(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (7, 3), (8, 3)]),
    ("3.5", &[(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (8, 3)]),
    ("3.6", &[(1, 3)]),
    ("3.7", &[(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]),
    ("4.1", &[(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)]),
    ("4.2", &[(1, 2), (2, 3), (3, 3), (4, 3), (5, 3)]),
    ("4.4", &[(1, 1), (2, 2), (3, 2), (4, 2)]),
    ("6.1", &[(1, 1), (2, 2), (3, 2)]),
    (
        "6.2",
        &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (9, 2), (10, 2), (11, 2), (12, 2)],
    ),
    ("6.3", &[(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3), (8, 3)]),
    ("6.4", &[(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)]),
    ("6.5", &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (7, 3), (8, 3)]),
    ("6.6", &[(1, 2), (2, 2), (3, 2), (4, 3)]),
    ("6.7", &[(1, 3), (2, 3)]),
    ("6.8", &[(1, 2), (2, 2), (3, 2), (4, 2)]),
    ("7.1", &[(1, 2), (2, 2), (3, 2)]),
    ("7.2", &[(1, 1), (2, 1), (3, 1), (4, 1)]),
    ("7.3", &[(1, 2), (2, 2)]),
    ("7.4", &[(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]),
    ("7.5", &[(1, 2), (2, 2), (3, 3)]),
    ("7.6", &[(1, 2), (2, 2)]),
    ("8.1", &[(1, 1), (2, 2), (3, 3), (4, 3)]),
    ("8.2", &[(1, 1), (2, 1), (3, 2), (4, 3)]),
    ("8.3", &[(1, 1), (2, 3), (3, 3)]),
    ("8.4", &[(1, 2), (2, 3)]),
    ("9.1", &[(1, 1), (2, 1), (3, 1)]),
    ("9.2", &[(1, 1), (2, 2), (3, 2), (4, 2)]),
    ("11.1", &[(1, 2), (2, 2)]),
    ("11.2", &[(1, 2), (2, 2), (3, 2), (4, 3), (5, 3)]),
    ("11.3", &[(1, 1), (2, 1), (3, 2), (4, 3)]),
    ("11.4", &[(1, 1), (2, 2), (3, 2), (4, 2)]),
    ("11.5", &[(1, 2), (2, 3)]),
    ("11.6", &[(1, 2)]),
    ("12.1", &[(1, 1), (2, 2)]),
    ("12.2", &[(1, 1), (2, 1)]),
    ("12.3", &[(1, 2), (2, 2), (3, 2), (4, 2)]),
    ("13.1", &[(1, 2), (2, 3), (3, 3), (4, 3)]),
    ("13.2", &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (6, 3)]),
    ("13.3", &[(1, 2), (2, 2), (3, 3), (4, 3)]),
    ("13.4", &[(1, 1), (2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (7, 3)]),
    ("14.1", &[(1, 2), (2, 2)]),
    ("14.2", &[(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3)]),
    ("14.3", &[(1, 1), (2, 2), (3, 2)]),
    ("15.1", &[(1, 1), (2, 2), (3, 2)]),
    ("15.2", &[(1, 1), (2, 2), (3, 2), (4, 3)]),
    ("15.3", &[(1, 1), (3, 2), (4, 2), (5, 2), (7, 2)]),
    ("15.4", &[(1, 3), (2, 3), (3, 3), (4, 3)]),
    ("16.1", &[(1, 2)]),
    ("16.2", &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2)]),
    ("16.3", &[(1, 2), (2, 2), (3, 2), (4, 2)]),
    ("16.4", &[(1, 2), (2, 2), (3, 2)]),
    ("16.5", &[(1, 2), (2, 2), (3, 2), (4, 3)]),
];

/// Pages whose tests, files and headings are looked up.
const PAGES: [&str; 4] = ["docs/asvs.md", "docs/security.md", "docs/threat-model.md", "SECURITY.md"];

struct Row {
    id: String,
    level: u8,
    status: String,
    answer: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows() -> Vec<Row> {
    let page = read("docs/asvs.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line[2..].starts_with(char::is_numeric));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, level, asks, status, answer] = cells[..] else { panic!("not five cells: {line}") };
        assert!(!asks.is_empty(), "{id} asks for nothing");
        Row {
            id: id.to_owned(),
            level: level.parse().unwrap_or_else(|_| panic!("{id} has no level")),
            status: status.to_owned(),
            answer: answer.to_owned(),
        }
    })
    .collect()
}

fn listed() -> BTreeMap<String, u8> {
    let numbers = |(section, numbers): &(&str, &[(u8, u8)])| {
        numbers.iter().map(|(number, level)| (format!("{section}.{number}"), *level)).collect::<Vec<_>>()
    };
    LIST.iter().flat_map(numbers).collect()
}

/// The text between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `module::test`, and only that: a path in lower case.
fn tests_named(text: &str) -> Vec<&str> {
    let is_path = |span: &&str| {
        span.contains("::")
            && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c))
    };
    code(text).filter(is_path).collect()
}

#[test]
fn every_requirement_of_the_list_is_answered_once() {
    let (listed, rows) = (listed(), rows());
    assert_eq!(listed.len(), LIST.iter().map(|(_, numbers)| numbers.len()).sum::<usize>());
    let mut found = BTreeMap::new();
    for row in &rows {
        assert!(found.insert(row.id.clone(), row.level).is_none(), "{} stands there twice", row.id);
    }
    assert_eq!(found, listed, "rows or levels that are not those of the list");
}

#[test]
fn every_answer_shows_something_or_says_why_not() {
    let mut chapters = BTreeSet::new();
    for Row { id, level, status, answer } in rows() {
        let words = answer.split_whitespace().count();
        match status.as_str() {
            "met" => assert!(words > 0 && !answer.starts_with("Done"), "{id} is met by nothing"),
            "argued" => assert!(words > 15, "{id} is argued in {words} words"),
            "n/a" => assert!(words > 2, "{id} does not say why it does not apply"),
            "open" => assert!(level < 3, "{id} is of level 3: do it or argue"),
            other => panic!("{id} is {other:?}"),
        }
        let chapter = id.split('.').next().unwrap_or_default().to_owned();
        let complete = ["6", "7"].contains(&chapter.as_str()) && level <= 2;
        assert!(!complete || status != "open", "{id}: V6 and V7 are complete at level 2");
        chapters.insert(chapter);
    }
    let page = read("docs/asvs.md");
    for chapter in chapters {
        assert!(page.contains(&format!("\n## V{chapter} ")), "V{chapter} has no heading");
    }
}

/// The functions under test below `directory`, as `module::path::name`.
fn functions(directory: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            functions(&path, &format!("{below}{name}::"), found);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = if ["mod", "tests", "lib", "main"].contains(&name.as_str()) {
            String::new()
        } else {
            name + "::"
        };
        let text = fs::read_to_string(&path).expect("a source");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]")
                || line.starts_with("#[actix_web::test]")
                || line.starts_with("#[tokio::test")
            {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.insert(format!("{below}{module}{name}"));
                is_test = false;
            }
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut known = BTreeSet::new();
    functions(&root().join("tests/it"), "", &mut known);
    functions(&root().join("src"), "", &mut known);
    for directory in ["crates/db/tests", "crates/sessions/tests/contract"] {
        functions(&root().join(directory), "", &mut known);
    }
    for name in ["db", "sessions"] {
        functions(&root().join(format!("crates/{name}/src")), &format!("{name}::"), &mut known);
    }
    assert!(known.len() > 500, "{} tests found", known.len());
    let mut missing = Vec::new();
    for page in PAGES {
        let text = read(page);
        missing.extend(
            tests_named(&text)
                .into_iter()
                .filter(|name| !known.contains(*name))
                .map(|name| format!("{page}: {name}")),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(tests_named(&read("docs/asvs.md")).len() > 200);
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|line| line.trim_start_matches('#').trim().chars().filter_map(kept).collect()).collect()
}

#[test]
fn every_file_and_heading_that_is_linked_exists() {
    for page in PAGES {
        let text = read(page);
        let here = root().join(page).parent().expect("a directory").to_owned();
        let mut links = 0;
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { root().join(page) } else { here.join(file) };
            assert!(file.exists(), "{page} links to {target}");
            if !anchor.is_empty() {
                let there = fs::read_to_string(&file).expect("a page");
                assert!(anchors(&there).contains(anchor), "{page} links to {target}");
            }
            links += 1;
        }
        assert!(links > 0, "{page} links to nothing");
        // Files that are named without a link.
        for span in code(&text).filter(|span| span.starts_with("src/") || span.starts_with("tests/")) {
            assert!(root().join(span).exists(), "{page} names {span}");
        }
    }
}

/// ASVS 5.0 6.3.2: there are no default accounts.
#[actix_web::test]
async fn a_fresh_database_has_no_users() {
    let app = TestApp::spawn();
    for table in ["users", "sessions", "registrations", "invitations", "user_tokens"] {
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let mut browser = app.browser();
    for (email, password) in
        [("admin", "admin"), ("admin@example.org", "password"), ("root@localhost", ""), ("", "")]
    {
        let answer = browser.log_in(email, password).await;
        assert!([422, 429].contains(&answer.status), "{email}: {}", answer.status);
    }
}

/// ASVS 5.0 13.4.4.
#[actix_web::test]
async fn trace_is_refused() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    for (path, status) in
        [("/", 405), ("/login", 405), ("/healthz", 405), ("/static/app.css", 405), ("/nothing", 404)]
    {
        let request = browser.request(Method::TRACE, path).header("x-secret", "never repeated");
        let answer = browser.send(request).await;
        answer.is(status).does_not_say("never repeated");
        assert_ne!(answer.header("content-type"), Some("message/http"), "{path}");
    }
}
