//! No two files of a crate import each other, directly or through others: each can be understood after those it imports.

use crate::support::files::{files_with, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const CRATES: [&str; 5] =
    ["src", "crates/db/src", "crates/local-postgres/src", "crates/sessions/src", "crates/test-db/src"];

/// The files of a crate by their modules, such as `web::http::form`, and the modules whose items each one uses.
pub type FileGraph = BTreeMap<String, BTreeSet<String>>;

/// A file, without tests and comments.
struct SourceFile {
    /// Its code without `use` statements.
    code: String,
    /// The names that its `use` statements introduce, and their absolute paths.
    names: BTreeMap<String, String>,
    /// Those that are only re-exported.
    passed_on: BTreeSet<String>,
}

/// The target of a path.
enum Resolved {
    Module,
    /// An item, and the module that defines it.
    Item(String),
}

type SourceFiles = BTreeMap<String, SourceFile>;

fn read(directory: &Path) -> SourceFiles {
    let mut texts = BTreeMap::new();
    for file in files_with(directory, "rs") {
        let below = file.strip_prefix(directory).expect("below it").with_extension("");
        let name = below.display().to_string().replace('/', "::");
        let name = name.strip_suffix("::mod").unwrap_or(&name);
        if name == "main" || name.ends_with("tests") {
            continue;
        }
        let name = if name == "lib" { "" } else { name };
        texts.insert(name.to_owned(), without_tests(&fs::read_to_string(&file).expect("a source")));
    }
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    texts.into_iter().map(|(name, text)| (name.clone(), parse(&name, &text, &modules))).collect()
}

fn without_tests(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn parse(module: &str, text: &str, modules: &BTreeSet<String>) -> SourceFile {
    let mut file = SourceFile { code: String::new(), names: BTreeMap::new(), passed_on: BTreeSet::new() };
    let mut statement: Option<String> = None;
    for line in text.lines() {
        let begins = line.trim_start();
        let is_use = begins.starts_with("use ") || (begins.starts_with("pub") && begins.contains(" use "));
        match &mut statement {
            Some(open) => open.push_str(begins),
            None if is_use => statement = Some(begins.to_owned()),
            None => {
                file.code.push_str(line);
                file.code.push('\n');
            }
        }
        let Some(whole) = statement.take_if(|open| open.ends_with(';')) else { continue };
        let (visibility, tree) = whole.trim_end_matches(';').split_once("use ").expect("a use statement");
        for leaf in leaves(tree) {
            let (path, alias) = leaf.split_once(" as ").unwrap_or((leaf.as_str(), ""));
            let path = path.trim().trim_end_matches("::self");
            let name = if alias.is_empty() { path.rsplit("::").next().unwrap_or(path) } else { alias.trim() };
            if let Some(path) = absolute(module, path, modules) {
                file.names.insert(name.to_owned(), path);
                if !visibility.is_empty() {
                    file.passed_on.insert(name.to_owned());
                }
            }
        }
    }
    file
}

/// The paths of a `use` tree.
pub fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
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

fn join(base: &str, rest: &str) -> String {
    if base.is_empty() { rest.to_owned() } else { format!("{base}::{rest}") }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// `path` from the root of the crate; `None` if it leads to another crate.
fn absolute(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    if let Some(rest) = path.strip_prefix("self::") {
        return Some(join(module, rest));
    }
    let (mut base, mut rest, mut is_relative) = (module, path, false);
    while let Some(after) = rest.strip_prefix("super::") {
        (base, rest, is_relative) = (parent(base), after, true);
    }
    let first = rest.split("::").next().unwrap_or_default();
    (is_relative || modules.contains(&join(module, first))).then(|| join(base, rest))
}

/// Follows re-exports to the file that defines the item.
fn resolve(path: &str, files: &SourceFiles) -> Resolved {
    let mut module = String::new();
    let parts: Vec<&str> = path.split("::").collect();
    for (at, part) in parts.iter().enumerate() {
        let next = join(&module, part);
        if files.contains_key(&next) {
            module = next;
            continue;
        }
        let behind = files.get(&module).and_then(|file| file.names.get(*part));
        return match behind {
            Some(behind) if behind != path => {
                resolve(&parts[at + 1..].iter().fold(behind.clone(), |path, part| join(&path, part)), files)
            }
            _ => Resolved::Item(module),
        };
    }
    Resolved::Module
}

/// The paths of at least two parts in the code.
fn paths(code: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(|c| !is_part(c))
        .map(|word| word.trim_matches(':'))
        .filter(|word| word.contains("::"))
        .collect()
}

fn is_word_of(name: &str, code: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

pub fn graph(directory: &str) -> FileGraph {
    let files = read(&root().join(directory));
    let modules: BTreeSet<String> = files.keys().cloned().collect();
    let mut graph = FileGraph::new();
    for (module, file) in &files {
        // A file that only re-exports a name does not depend on it.
        let used = file
            .names
            .iter()
            .filter(|(name, _)| !file.passed_on.contains(*name) || is_word_of(name, &file.code));
        let mut used: Vec<String> = used.map(|(_, path)| path.clone()).collect();
        for path in paths(&file.code) {
            let (first, rest) = path.split_once("::").expect("two parts");
            match file.names.get(first) {
                Some(behind) => used.push(join(behind, rest)),
                None => used.extend(absolute(module, path, &modules)),
            }
        }
        let defining = used.iter().filter_map(|path| match resolve(path, &files) {
            Resolved::Item(definer) if definer != *module => Some(definer),
            Resolved::Item(_) | Resolved::Module => None,
        });
        graph.insert(module.clone(), defining.collect());
    }
    graph
}

/// The files in circles, each with the others that it uses.
fn circles(mut graph: FileGraph) -> FileGraph {
    loop {
        let used: BTreeSet<String> = graph.values().flatten().cloned().collect();
        let outside = |(name, uses): &(&String, &BTreeSet<String>)| uses.is_empty() || !used.contains(*name);
        let free: BTreeSet<String> = graph.iter().filter(outside).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            return graph;
        }
        graph.retain(|name, _| !free.contains(name));
        for uses in graph.values_mut() {
            uses.retain(|name| !free.contains(name));
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for directory in CRATES {
        let circles = circles(graph(directory));
        assert!(circles.is_empty(), "in a circle, or between two, in {directory}: {circles:#?}");
    }
}

#[test]
fn circles_are_found_and_what_stands_beside_them_is_not() {
    let graph = |edges: &[(&str, &[&str])]| -> FileGraph {
        let uses = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(name, names)| ((*name).to_owned(), uses(names))).collect()
    };
    let known = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])]);
    assert_eq!(circles(known).into_keys().collect::<Vec<_>>(), ["b", "c"]);
    assert!(circles(graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
}

#[test]
fn imports_are_followed_to_the_file_that_defines_the_item() {
    assert_eq!(leaves("a::{b, c::{self, d as e}, f}"), ["a::b", "a::c::self", "a::c::d as e", "a::f"]);
    let graph = graph("src");
    assert!(graph.len() > 250, "{} files", graph.len());
    // `crate::login::Login` is defined in a file that `login/mod.rs` re-exports, and so are the queries.
    let confirm = &graph["login::confirm"];
    assert!(
        confirm.contains("login::service") && confirm.contains("login::queries::passwords"),
        "{confirm:?}"
    );
    assert!(!confirm.contains("login") && !confirm.contains("login::queries"), "{confirm:?}");
    assert!(graph["web::http::form"].contains("web::http::csrf"));
    assert!(!graph["web::http::form"].contains("web::pages::log_in"));
}
