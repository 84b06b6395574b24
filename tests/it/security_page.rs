//! The lists in docs/security.md match the program. Each list is between two comments that name it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use latchkey::audit::AuditAction;
use latchkey::cleanup::table;
use latchkey::config::{PasswordLimits, ThrottleLimits};
use latchkey::identity::{Email, Name};
use latchkey::passwords::Password;
use latchkey::web::copy::phrase::Phrase;
use latchkey::web::routes::{self, Method};
use latchkey::web::session::guard::GuardKind;

use crate::support::files::{files_with, root};
use crate::support::generated::check_table;

/// Fields that no form struct declares, because every form has them or because they are in the query.
const EVERYWHERE: [&str; 5] = ["csrf_token", "show", "draft", "q", "page"];

fn list(name: &str) -> String {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let (_, rest) =
        page.split_once(&format!("<!-- {name} -->\n")).unwrap_or_else(|| panic!("no list {name}"));
    let (list, _) = rest.split_once(&format!("<!-- /{name} -->")).expect("an end of the list");
    list.to_owned()
}

/// The text between backticks in the first cell of each row.
fn first_cells(list: &str) -> BTreeSet<String> {
    let rows =
        list.lines().filter_map(|line| line.strip_prefix("| ")).filter_map(|row| row.split(" |").next());
    rows.flat_map(spans).collect()
}

fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[track_caller]
fn same(what: &str, listed: &BTreeSet<String>, there: &BTreeSet<String>) {
    let missing: Vec<_> = there.difference(listed).collect();
    let made_up: Vec<_> = listed.difference(there).collect();
    assert!(
        missing.is_empty() && made_up.is_empty(),
        "{what} not listed: {missing:#?}\nmade up: {made_up:#?}"
    );
}

fn sources(below: &str) -> Vec<(String, String)> {
    let read = |path: &PathBuf| (path.display().to_string(), fs::read_to_string(path).expect("a source"));
    files_with(&root().join(below), "rs").iter().map(read).collect()
}

/// The fields of every struct that is the input of a form.
pub fn fields() -> BTreeSet<String> {
    let fields: BTreeSet<String> = typed_fields().into_iter().map(|(name, _)| name).collect();
    assert!(fields.len() >= 9, "{fields:?}");
    fields
}

/// The same with their types.
fn typed_fields() -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (place, text) in sources("src/web") {
        for input in text.split("impl FormInput for ").skip(1) {
            let name = input.split([' ', '{']).next().unwrap_or_default();
            let declared = format!("struct {name} {{");
            let Some((_, body)) = text.split_once(&declared) else { panic!("{place}: where is {name}?") };
            let body = body.split('}').next().unwrap_or_default();
            fields.extend(body.lines().filter_map(|line| {
                let (name, kind) = line.trim().split_once(':').filter(|_| !line.trim().starts_with("//"))?;
                let kind = kind.trim().trim_end_matches(',');
                Some((name.trim_start_matches("pub ").to_owned(), kind.to_owned()))
            }));
        }
    }
    fields
}

#[test]
fn every_field_says_by_its_type_whether_it_comes_back() {
    for (name, kind) in typed_fields() {
        assert!(["Text", "SecretText", "Preset"].contains(&&*kind), "{name}: {kind}");
        let secret = name.contains("password") || name.starts_with("code");
        assert_eq!(kind == "SecretText", secret, "{name}: {kind}");
    }
}

#[test]
fn every_field_has_its_rule() {
    let there: BTreeSet<String> = fields().into_iter().chain(EVERYWHERE.map(str::to_owned)).collect();
    same("fields", &first_cells(&list("fields")), &there);
}

/// The row of a field.
fn rule(field: &str) -> String {
    let list = list("fields");
    let start = format!("| `{field}` |");
    list.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {field}")).to_owned()
}

/// The greatest accepted `n`; all smaller ones from `least` on must be accepted, too.
fn longest(least: usize, accepts: impl Fn(usize) -> bool) -> usize {
    assert!(accepts(least));
    (least..).find(|n| !accepts(n + 1)).expect("an end")
}

#[test]
fn the_limits_on_the_page_are_those_that_are_checked() {
    let name = longest(1, |n| Name::parse(&"ä".repeat(n)).is_ok());
    assert!(rule("name").contains(&format!(" 1 to {name} characters")), "{name}");
    assert!(rule("name").contains(&*Phrase::from(Name::parse(&"ä".repeat(name + 1)).unwrap_err()).text));

    let address = |n: usize| {
        let labels =
            "a".repeat(n - 11).chars().enumerate().fold(String::new(), |mut domain, (at, letter)| {
                domain.push(if at % 60 == 59 { '.' } else { letter });
                domain
            });
        Email::parse(&format!("ada@{labels}bb.test"))
    };
    let email = longest(20, |n| address(n).is_ok());
    assert!(rule("email").contains(&format!("at most {email} bytes")), "{email}");
    assert!(rule("email").contains(&*Phrase::from(Email::parse("ada").unwrap_err()).text));

    let PasswordLimits { min_code_points, max_code_points, max_bytes } = PasswordLimits::default();
    let words = format!("{min_code_points} to {max_code_points} characters and at most {max_bytes} bytes");
    assert!(rule("password").contains(&words), "{words}");
    let short = Phrase::from(Password::choose("shorter", &[]).err().expect("too short")).text;
    assert!(rule("password").contains(&*short), "{short}");
}

#[test]
fn every_form_a_stranger_may_send_is_accounted_for() {
    let open =
        |guard: GuardKind| !matches!(guard, GuardKind::SignedIn | GuardKind::Confirmed | GuardKind::Admin);
    let rows = routes::page_table();
    let forms = rows.iter().filter(|row| row.method == Method::Post && open(row.guard));
    same("forms", &first_cells(&list("ways")), &forms.map(|row| row.path.to_owned()).collect());
}

#[test]
fn the_table_of_clean_ups_is_the_model_of_the_program() {
    check_table("docs/security.md", "clean-ups", &table());
}

#[test]
fn every_table_has_its_class_and_its_end() {
    let schema = ["src/db/schema.rs", "crates/sessions/src/schema.rs"]
        .map(|file| fs::read_to_string(root().join(file)).expect("the schema"))
        .concat();
    let tables =
        schema.split("diesel::table! {\n").skip(1).filter_map(|table| table.split_whitespace().next());
    let tables: BTreeSet<String> = tables.map(str::to_owned).collect();
    assert!(tables.len() >= 10, "{tables:?}");
    same("tables", &first_cells(&list("tables")), &tables);
}

#[test]
fn everything_that_is_recorded_is_listed() {
    let acts: BTreeSet<String> = AuditAction::ALL.iter().map(|act| act.as_str().to_owned()).collect();
    same("acts", &spans(&list("acts")).into_iter().collect(), &acts);
}

/// The text up to the parenthesis that closes the one already open.
fn arguments(rest: &str) -> &str {
    let (mut depth, mut quoted) = (1, false);
    for (at, c) in rest.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..at];
        }
    }
    rest
}

/// The messages of all log events: the last text among the macro's arguments.
fn messages() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for (place, text) in ["src", "crates/db/src", "crates/sessions/src"].into_iter().flat_map(sources) {
        for level in ["info", "warn", "error", "debug", "trace"] {
            for rest in text.split(&format!("tracing::{level}!(")).skip(1) {
                let mut texts = arguments(rest).rsplit('"').skip(1);
                let text = texts.next().unwrap_or_else(|| panic!("{place}: an event without words"));
                messages.insert(text.to_owned());
            }
        }
    }
    messages
}

#[test]
fn every_line_of_the_log_is_listed() {
    let messages = messages();
    assert!(messages.len() > 20, "{messages:?}");
    same("events", &first_cells(&list("log")), &messages);
}

#[test]
fn the_numbers_in_the_text_are_the_defaults() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let ThrottleLimits { asks_per_hour, mails_per_hour, .. } = ThrottleLimits::default();
    assert_eq!((asks_per_hour, mails_per_hour), (200, 5));
    for words in
        ["5 requested emails an hour per inbox", "200 forms an hour per network", "100 sessions per user"]
    {
        assert!(page.contains(words), "{words}");
    }
}
