//! The house rules of `src/web`: allowed imports between rooms, templates named after their routes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use latchkey::web::routes;

use crate::house_circles::{FileGraph, graph};
use crate::support::files::{files_with, root};

/// The rooms of `web`, each with the rooms it may import. Files outside of rooms (the route table, the composition
/// root) may import all of them.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("copy", &["copy"]),
    ("http", &["copy", "http"]),
    ("session", &["copy", "http", "session"]),
    ("ops", &["http", "ops"]),
    ("streams", &["http", "streams"]),
    ("proxy", &["http", "streams", "proxy"]),
    ("front", &["copy", "http", "ops", "streams", "proxy", "front"]),
    ("api", &["copy", "http", "session", "route", "api"]),
    ("pages", &["copy", "http", "session", "front", "pages"]),
];

/// Templates of pages that are served at several paths, or at any path.
const WITHOUT_ROUTE: [&str; 4] =
    ["error.html", "go_refused.html", "mailed_link.html", "account/tokens/created.html"];

/// The modules of `src/web` by their paths below it, such as `http::form`, and the modules whose items each one uses.
fn imports() -> FileGraph {
    let below = |name: &String| name.strip_prefix("web::").map(str::to_owned);
    let all = graph("src").into_iter();
    let modules: FileGraph = all
        .filter_map(|(name, used)| Some((below(&name)?, used.iter().filter_map(below).collect())))
        .collect();
    assert!(modules.len() > 60, "{} modules", modules.len());
    modules
}

/// Without tests and comments.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

#[test]
fn rooms_of_web_import_only_the_rooms_below_them() {
    for (module, imported) in imports() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room(&module)) else { continue };
        for path in imported {
            assert!(allowed.contains(&room(&path)), "web::{module} imports web::{path}");
        }
    }
}

/// `/login/second-factor` has `login/second_factor.html`, `/admin/users/{id}` has `admin/users/id.html`, `/` has
/// `index.html`. Parts of pages begin with an underscore.
#[test]
fn templates_are_named_as_their_routes() {
    let rows = routes::table().into_iter().chain(routes::local_table());
    let named: BTreeSet<String> = rows
        .map(|row| match row.path.trim_start_matches('/').replace('-', "_").replace(['{', '}'], "") {
            path if path.is_empty() => "index.html".to_owned(),
            path => format!("{path}.html"),
        })
        .collect();
    let templates = root().join("templates");
    let mut pages = 0;
    for file in files_with(&templates, "html") {
        let name = file.strip_prefix(&templates).expect("below templates").display().to_string();
        let is_part = name.split('/').any(|part| part.starts_with('_'));
        if is_part || name.starts_with("mail/") || name.starts_with("front/") || name == "layout.html" {
            continue;
        }
        pages += 1;
        assert!(
            named.contains(&name) || WITHOUT_ROUTE.contains(&name.as_str()),
            "templates/{name} has no route of its name"
        );
    }
    assert!(pages > 25, "{pages} pages");
}

/// A type that dereferences to another hides what a handler reads.
#[test]
fn no_type_of_web_dereferences_to_another() {
    for file in files_with(&root().join("src/web"), "rs") {
        let code = code(&fs::read_to_string(&file).expect("a source"));
        assert!(!code.contains("Deref for"), "{}", file.display());
    }
}

/// Tests identify a page by `data-page`.
#[test]
fn every_page_names_its_template() {
    let templates = root().join("templates");
    let mut pages = 0;
    for file in files_with(&templates, "html") {
        let below = file.strip_prefix(&templates).expect("below templates").with_extension("");
        let (name, file) = (below.display().to_string(), fs::read_to_string(&file).expect("a template"));
        let is_part = name.split('/').next_back().is_some_and(|last| last.starts_with('_'));
        if is_part || name == "layout" || name.starts_with("mail/") || name.starts_with("front/") {
            continue;
        }
        assert!(file.contains(&format!("{{% block code %}}{name}{{% endblock %}}")), "templates/{name}.html");
        pages += 1;
    }
    assert!(pages > 30, "{pages} pages");
}

/// One noun for each thing (email, user, session, administrator), and no word that a native speaker would not use here.
#[test]
fn texts_use_plain_words() {
    const INSTEAD: [&str; 12] = [
        "e-mail",
        "letter",
        "letters",
        "person",
        "people",
        "somebody",
        "nobody",
        "anybody",
        "everybody",
        "whoever",
        "successfully",
        "please",
    ];
    let (templates, copy) = (root().join("templates"), root().join("src/web/copy"));
    let mut texts: Vec<(PathBuf, String)> = files_with(&templates, "html")
        .into_iter()
        .filter(|file| !file.starts_with(templates.join("mail")))
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a template");
            let outside = text.split("{#").map(|part| part.rsplit("#}").next().unwrap_or_default());
            (file, outside.map(without_code).collect())
        })
        .collect();
    texts.extend(files_with(&copy, "rs").into_iter().map(|file| {
        let source = code(&fs::read_to_string(&file).expect("a source"));
        // The stored text of older events is not a sentence.
        let is_sentence = |text: &&str| text.contains(' ') && !text.ends_with("of everybody");
        let sentences = source.split('"').skip(1).step_by(2).filter(is_sentence);
        (file, sentences.collect::<Vec<_>>().join("\n"))
    }));
    for (file, text) in texts {
        let lower = text.to_lowercase();
        for word in lower.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'') {
            assert!(!INSTEAD.contains(&word), "{word:?} in {}", file.display());
        }
    }
}

/// The text between the expressions and tags of a template, and the literals inside them.
fn without_code(text: &str) -> String {
    let mut kept = String::new();
    for part in text.split("{{").flat_map(|part| part.split("{%")) {
        let (inside, outside) = part.split_once("}}").or_else(|| part.split_once("%}")).unwrap_or(("", part));
        kept.push_str(outside);
        for literal in inside.split('"').skip(1).step_by(2).filter(|literal| literal.contains(' ')) {
            kept.push('\n');
            kept.push_str(literal);
        }
        kept.push('\n');
    }
    kept
}
