//! Templates isolate typed text (`<bdi>`), and a form with a new password names the account. Checked in the template
//! sources, so that it also holds for new templates.

use std::fs;
use std::path::{Path, PathBuf};

/// The names of expressions that contain typed text.
const TYPED: [&str; 8] = ["name", "email", "person_name", "person_email", "invited_by", "to", "who", "typed"];

struct Template {
    path: String,
    text: String,
}

fn templates() -> Vec<Template> {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut files = Vec::new();
    below(&root, &mut files);
    assert!(files.len() > 50, "{} templates", files.len());
    files
        .into_iter()
        .map(|file| Template {
            path: file.strip_prefix(&root).expect("below templates").display().to_string(),
            text: without_comments(&fs::read_to_string(&file).expect("a template")),
        })
        .collect()
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("{#");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once("#}").map_or("", |(_, rest)| rest))
}

/// Every `{{ expression }}` with the text before it.
fn expressions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("{{").filter_map(|(at, _)| {
        let inside = text[at + 2..].split_once("}}")?.0;
        Some((inside.trim_matches(|c: char| c == '-' || c.is_whitespace()), &text[..at]))
    })
}

fn is_typed(expression: &str) -> bool {
    let is_path = expression.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    is_path && TYPED.contains(&expression.rsplit('.').next().unwrap_or_default())
}

/// Places where typed text is not isolated.
fn loose(template: &Template) -> Vec<String> {
    // These name their own parts: the lab of /compare, the description of the API and the files for proxies. Headers in
    // such a file are checked when they are stored. The macros name their fields.
    let own = ["compare", "api.html", "proxies/", "admin/apps/slug/config/"];
    if own.iter().any(|own| template.path.starts_with(own)) {
        return Vec::new();
    }
    let is_field = |expression: &str| template.path == "_ui.html" && expression == "name";
    expressions(&template.text)
        .filter(|(expression, before)| {
            // Inside a tag it is an attribute; `fields_follow_what_is_typed` checks those that matter.
            let in_tag = before.rfind('<') > before.rfind('>');
            is_typed(expression) && !is_field(expression) && !in_tag && !before.ends_with("<bdi>")
        })
        .map(|(expression, _)| format!("{}: {{{{ {expression} }}}}", template.path))
        .collect()
}

#[test]
fn typed_text_is_isolated_from_its_surroundings_on_every_page() {
    let found: Vec<String> = templates().iter().flat_map(loose).collect();
    assert!(found.is_empty(), "use ui::typed, <bdi> or direction::isolated:\n{}", found.join("\n"));
}

#[test]
fn the_check_finds_unpinned_parts() {
    let find = |text: &str| loose(&Template { path: "x".into(), text: text.into() }).len();
    for text in ["<p>{{ name }}</p>", "<p>{{ user.email }}, {{ bar.label }}</p>", "{{- row.person_name -}}"] {
        assert_eq!(find(text), 1, "{text}");
    }
    for text in [
        "<bdi>{{ name }}</bdi>",
        "{{ ui::typed(user.name) }}",
        "<label for=\"{{ name }}\">",
        "<p>{{ label }}</p>",
    ] {
        assert_eq!(find(text), 0, "{text}");
    }
}

#[test]
fn fields_follow_what_is_typed() {
    let mut looked_at = 0;
    for Template { path, text } in templates() {
        for input in text.split("<input").skip(1) {
            let input = input.split_once("\n").map_or(input, |(line, _)| line);
            let has = |words: &str| input.contains(words);
            // Not a user's own words: a secret, a code, a checkbox, a hidden field.
            let other = has("type=\"hidden\"")
                || has("checkbox")
                || has("radio")
                || has("password{%")
                || has("one-time-code");
            if other || has("readonly") {
                continue;
            }
            looked_at += 1;
            assert!(has("dir=\"auto\""), "{path}: <input{input}");
        }
    }
    assert!(looked_at >= 3, "{looked_at} fields");
}

#[test]
fn a_form_with_a_new_password_says_whose_it_is() {
    let mut looked_at = 0;
    // The gallery of form parts, which is never sent.
    for Template { path, text } in
        templates().into_iter().filter(|template| template.path != "dev/parts.html")
    {
        for form in text.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap_or_default()) {
            let Some(password) = form.find("\"new-password\"") else { continue };
            looked_at += 1;
            let user = form.rfind("ui::username(").or_else(|| form.rfind("auto=\"username\""));
            assert!(user.is_some_and(|user| user < password), "{path}: no user name before the new password");
        }
    }
    assert!(looked_at >= 4, "{looked_at} forms");
}
