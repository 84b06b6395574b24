//! The house rules of `src/web`: allowed imports between rooms, no import cycles, templates named after their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use latchkey::web::routes;

/// The rooms of `web`, each with the rooms it may import. What stands beside them (the route table, the composition root)
/// may import all of them.
const MAY_IMPORT: [(&str, &[&str]); 5] = [
    ("copy", &["copy"]),
    ("http", &["copy", "http"]),
    ("session", &["copy", "http", "session"]),
    ("ops", &["http", "ops"]),
    ("pages", &["copy", "http", "session", "pages"]),
];

/// Templates of pages that answer at several paths, or at any.
const WITHOUT_ROUTE: [&str; 2] = ["error.html", "mailed_link.html"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|given| given == extension) {
            found.push(path);
        }
    }
    found
}

/// The modules of `src/web` by their path below it, such as `http::form`, and what they import of each other.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let web = root().join("src/web");
    let sources: BTreeMap<String, String> = files(&web, "rs")
        .into_iter()
        .map(|file| {
            let below = file.strip_prefix(&web).expect("below web").with_extension("");
            let name = below.display().to_string().replace('/', "::");
            let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
            (name, code(&fs::read_to_string(&file).expect("a source")))
        })
        .collect();
    assert!(sources.len() > 60, "{} sources", sources.len());
    sources
        .iter()
        .map(|(name, code)| {
            let paths = paths(code).into_iter().filter_map(|path| {
                let mut parts = absolute(name, &path, &sources)?;
                while !parts.is_empty() && !sources.contains_key(&parts.join("::")) {
                    parts.pop();
                }
                Some(parts.join("::"))
            });
            (name.clone(), paths.filter(|path| path != name && !path.is_empty()).collect())
        })
        .collect()
}

/// Without tests and comments.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path of a `use`, one for each leaf, and those that stand elsewhere in the code.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("use ").skip(1) {
        found.extend(leaves(rest.split(';').next().unwrap_or_default()));
    }
    for root in ["crate::web::", "super::"] {
        for rest in code.split(root).skip(1) {
            let path: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || ['_', ':'].contains(c)).collect();
            found.push(format!("{root}{}", path.trim_end_matches(':')));
        }
    }
    found
}

fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().trim().to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let leaves = parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(leaves);
    leaves.map(|leaf| format!("{before}{leaf}")).collect()
}

/// The parts of a path below `web`; `None` if it leads elsewhere.
fn absolute(module: &str, path: &str, sources: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let own = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    if let Some(below) = path.strip_prefix("crate::web::") {
        return Some(own(below));
    }
    let mut base = if module == "mod" { Vec::new() } else { own(module) };
    let mut rest = path;
    if !path.starts_with("super::") {
        // A child of this module.
        let child = [base.clone(), vec![own(path).remove(0)]].concat();
        return sources.contains_key(&child.join("::")).then(|| [base, own(path)].concat());
    }
    while let Some(after) = rest.strip_prefix("super::") {
        base.pop()?;
        rest = after;
    }
    Some([base, own(rest)].concat())
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

#[test]
fn no_files_of_web_import_each_other_in_a_circle() {
    let mut graph = imports();
    // Files that import nothing of the rest are in no circle, and neither is what then imports nothing.
    loop {
        let leaves: BTreeSet<String> =
            graph.iter().filter(|(_, imported)| imported.is_empty()).map(|(name, _)| name.clone()).collect();
        if leaves.is_empty() {
            break;
        }
        graph.retain(|name, _| !leaves.contains(name));
        for imported in graph.values_mut() {
            imported.retain(|name| !leaves.contains(name));
        }
    }
    assert!(graph.is_empty(), "in a circle, or above one: {graph:#?}");
}

#[test]
fn circles_and_leaves_are_told_apart() {
    assert_eq!(leaves("a::{b, c::{self, d as e}, f}"), ["a::b", "a::c::self", "a::c::d", "a::f"]);
    let known = imports();
    assert!(known["http::form"].contains("http::csrf") && known["pages::log_in"].contains("session::guard"));
    assert!(!known["http::form"].contains("pages::log_in"));
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
    for file in files(&templates, "html") {
        let name = file.strip_prefix(&templates).expect("below templates").display().to_string();
        let is_part = name.split('/').any(|part| part.starts_with('_'));
        if is_part || name.starts_with("mail/") || name == "layout.html" {
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

/// A type that behaves as another hides what a handler reads.
#[test]
fn no_type_of_web_dereferences_to_another() {
    for file in files(&root().join("src/web"), "rs") {
        let code = code(&fs::read_to_string(&file).expect("a source"));
        assert!(!code.contains("Deref for"), "{}", file.display());
    }
}

/// `data-page` is what tests know a page by.
#[test]
fn every_page_names_its_template() {
    let templates = root().join("templates");
    let mut pages = 0;
    for file in files(&templates, "html") {
        let below = file.strip_prefix(&templates).expect("below templates").with_extension("");
        let (name, file) = (below.display().to_string(), fs::read_to_string(&file).expect("a template"));
        let is_part = name.split('/').next_back().is_some_and(|last| last.starts_with('_'));
        if is_part || name == "layout" || name.starts_with("mail/") {
            continue;
        }
        assert!(file.contains(&format!("{{% block code %}}{name}{{% endblock %}}")), "templates/{name}.html");
        pages += 1;
    }
    assert!(pages > 30, "{pages} pages");
}

/// One noun for one thing (email, user, session, administrator), and no word that a native speaker would not use here.
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
    let mut texts: Vec<(PathBuf, String)> = files(&templates, "html")
        .into_iter()
        .filter(|file| !file.starts_with(templates.join("mail")))
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a template");
            let outside = text.split("{#").map(|part| part.rsplit("#}").next().unwrap_or_default());
            (file, outside.map(without_code).collect())
        })
        .collect();
    texts.extend(files(&copy, "rs").into_iter().map(|file| {
        let source = code(&fs::read_to_string(&file).expect("a source"));
        // What older events store is no sentence.
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

/// What stands between the expressions and tags of a template, and the literals inside them.
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
