//! The classes of the style sheet: no class has two meanings. A class is a component (`.badge`) or a variant of one
//! (`.badge.is-good`), never both, and templates use only existing classes.

use crate::support::files::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Classes that only tests and links use, without a style.
const WITHOUT_A_LOOK: [&str; 2] = ["wide", "history"];

/// Every selector of the style sheet, with each `:is()` expanded.
fn selectors() -> Vec<String> {
    let css = fs::read_to_string(root().join("static/app.css")).expect("the style sheet");
    let mut rest = css.as_str();
    let mut bare = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = comment.split_once("*/").expect("an end of the comment").1;
    }
    bare.push_str(rest);
    let mut found = Vec::new();
    for block in bare.split('{') {
        // The text before a brace: the end of the previous block, then the selectors.
        let prelude = block.rsplit(['}', ';']).next().unwrap_or_default().trim();
        if !prelude.is_empty() && !prelude.starts_with('@') {
            found.extend(at_top(prelude, |c| c == ',').into_iter().flat_map(|one| written_out(one.trim())));
        }
    }
    found
}

/// Splits at `cuts`, outside of parentheses and brackets.
fn at_top(text: &str, cuts: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            c if depth == 0 && cuts(c) => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// Splits `text`, which begins after an opening parenthesis, into the text inside and the text after it.
fn enclosed(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    panic!("no end: {text}")
}

fn written_out(selector: &str) -> Vec<String> {
    if let Some((before, rest)) = selector.split_once(":is(") {
        let (alternatives, after) = enclosed(rest);
        let one = |alternative: &str| written_out(&format!("{before}{}{after}", alternative.trim()));
        return at_top(alternatives, |c| c == ',').into_iter().flat_map(one).collect();
    }
    // The argument of `:not` or `:has` is a selector by itself.
    for pseudo in [":not(", ":has("] {
        if let Some((before, rest)) = selector.split_once(pseudo) {
            let (inner, after) = enclosed(rest);
            let mut found = written_out(&format!("{before}{after}"));
            found.extend(at_top(inner, |c| c == ',').into_iter().flat_map(|one| written_out(one.trim())));
            return found;
        }
    }
    vec![selector.to_owned()]
}

/// The element of a compound, if it names one, and its classes.
fn compound(text: &str) -> (String, Vec<String>) {
    let text = text.split(['[', ':']).next().unwrap_or_default();
    let mut names = text.split('.').map(str::to_owned);
    let element = names.next().unwrap_or_default();
    (element, names.filter(|name| !name.is_empty()).collect())
}

fn compounds() -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for selector in selectors() {
        for text in at_top(&selector, |c| [' ', '>', '+', '~'].contains(&c)) {
            let (element, classes) = compound(text);
            found.push((selector.clone(), element, classes));
        }
    }
    assert!(found.len() > 300, "{} compounds", found.len());
    found
}

fn is_kind(class: &str) -> bool {
    class.starts_with("is-")
}

#[test]
fn selectors_are_written_out() {
    assert_eq!(written_out(":is(.a, .b).is-c > d"), [".a.is-c > d", ".b.is-c > d"]);
    assert_eq!(written_out(".a:not(.b.c) .d"), [".a .d", ".b.c"]);
    assert_eq!(compound("th.event.is-bad:hover"), ("th".into(), vec!["event".into(), "is-bad".into()]));
}

#[test]
fn no_class_is_both_a_part_and_a_kind() {
    for (selector, element, classes) in compounds() {
        let parts = classes.iter().filter(|class| !is_kind(class)).count();
        let kinds = classes.len() - parts;
        assert!(parts <= 1, "{selector}: two parts in one, where one must be a kind (is-…)");
        assert!(kinds <= 1, "{selector}: two kinds");
        assert!(kinds == 0 || parts == 1 || !element.is_empty(), "{selector}: a kind of nothing");
    }
}

/// The variants of each component that has some.
fn kinds() -> BTreeMap<String, BTreeSet<String>> {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, _, classes) in compounds() {
        if let Some(kind) = classes.iter().find(|class| is_kind(class)) {
            for part in classes.iter().filter(|class| !is_kind(class)) {
                kinds.entry(part.clone()).or_default().insert(kind.clone());
            }
        }
    }
    assert!(kinds["badge"].contains("is-good") && kinds["button"].contains("is-quiet"));
    kinds
}

/// The class attributes of a template, without the parts that are computed when it is rendered.
fn attributes() -> Vec<(String, Vec<String>)> {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            // Mail programs use no style sheet, and pages on the hosts of apps have one of their own.
            if path.is_dir() && !path.ends_with("mail") && !path.ends_with("front") {
                collect(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root().join("templates"), &mut files);
    let mut attributes = Vec::new();
    for file in files {
        let mut text = fs::read_to_string(&file).expect("a template");
        for (open, close, with) in [("{#", "#}", ""), ("{%", "%}", " "), ("{{", "}}", "\u{1}")] {
            while let Some(from) = text.find(open) {
                let to = text[from..].find(close).expect("an end") + from + close.len();
                text.replace_range(from..to, with);
            }
        }
        for rest in text.split(" class=\"").skip(1) {
            let classes = rest.split('"').next().unwrap_or_default();
            let classes = classes.split_whitespace().filter(|class| !class.contains('\u{1}'));
            attributes.push((file.display().to_string(), classes.map(str::to_owned).collect()));
        }
    }
    assert!(attributes.len() > 200, "{} attributes", attributes.len());
    attributes
}

#[test]
fn templates_use_the_classes_there_are() {
    let known: BTreeSet<String> = compounds().into_iter().flat_map(|(_, _, classes)| classes).collect();
    let kinds = kinds();
    for (file, classes) in attributes() {
        for class in &classes {
            let known = known.contains(class) || WITHOUT_A_LOOK.contains(&class.as_str());
            assert!(known, "{file}: the style sheet knows no {class}");
        }
        let of: Vec<_> = classes.iter().filter(|class| kinds.contains_key(*class)).collect();
        assert!(of.len() <= 1, "{file}: whose kind is it in {classes:?}?");
        for part in of {
            for class in classes.iter().filter(|class| *class != part) {
                let prefixed = format!("is-{class}");
                assert!(
                    !kinds[part].contains(&prefixed),
                    "{file}: say {prefixed} beside {part}, not {class}"
                );
            }
        }
    }
}
