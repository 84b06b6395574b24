//! The house rule about names: every type has a unique name in the workspace.

use crate::support::files::{files_with, root};
use std::collections::BTreeMap;
use std::fs;

/// Names that private types may share, until they get their own.
const SHARED_AT_MOST: usize = 5;

/// A type definition.
#[derive(Debug, PartialEq)]
struct Definition {
    name: String,
    is_public: bool,
    place: String,
}

/// The types that a source defines. Not the associated types of an `impl`, because a trait names these (`Error`,
/// `Target`, `Future`).
fn definitions(text: &str, place: &str) -> Vec<Definition> {
    let definition = |line: &str| {
        let (visibility, rest) = match line.trim_start().strip_prefix("pub") {
            Some(rest) => match rest.strip_prefix('(') {
                Some(limited) => ("pub(…)", limited.split_once(") ")?.1),
                None => ("pub", rest.strip_prefix(' ')?),
            },
            None => ("", line.trim_start()),
        };
        let (kind, rest) = rest.split_once(' ')?;
        let is_type = match kind {
            "struct" | "enum" | "trait" | "union" => true,
            "type" => !line.starts_with(' '),
            _ => false,
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (is_type && !name.is_empty()).then(|| Definition {
            name,
            is_public: visibility == "pub",
            place: place.to_owned(),
        })
    };
    text.lines().filter_map(definition).collect()
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let root = root();
    let mut directories = vec![root.join("src")];
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        directories.push(entry.expect("an entry").path().join("src"));
    }
    let mut by_name: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
    for file in directories.iter().flat_map(|directory| files_with(directory, "rs")) {
        let place = file.strip_prefix(&root).expect("below the root").display().to_string();
        for definition in definitions(&fs::read_to_string(&file).expect("a source"), &place) {
            by_name.entry(definition.name.clone()).or_default().push(definition);
        }
    }
    assert!(by_name.len() > 400, "{} types", by_name.len());
    by_name.retain(|_, definitions| definitions.len() > 1);
    let is_ambiguous =
        |definitions: &Vec<Definition>| definitions.iter().filter(|one| one.is_public).count() > 1;
    let public: Vec<_> = by_name.values().filter(|definitions| is_ambiguous(definitions)).collect();
    assert!(public.is_empty(), "public types that share a name: {public:#?}");
    assert!(by_name.len() <= SHARED_AT_MOST, "types that share a name: {by_name:#?}");
}

#[test]
fn definitions_are_told_from_what_looks_like_one() {
    let text = "pub struct One {\n    type Error = Fault;\n}\n    enum Two {}\npub(crate) trait Three<T> {}\n\
        type Four<T> = Vec<T>;\nstruct $name;\n// struct Five\nlet kind = \"enum Six\";\nusing struct Seven\n";
    let found = definitions(text, "");
    let names: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.is_public)).collect();
    assert_eq!(names, [("One", true), ("Two", false), ("Three", false), ("Four", false)]);
}
