//! Tables in documents, and whole files, that the program generates. Each is between two markers, `<!-- name -->` and `<!-- /name -->`;
//! `bin/docs` rewrites them.

use std::fs;
use std::path::Path;

/// Set by `bin/docs`.
const REWRITE: &str = "LATCHKEY_REWRITE_DOCS";

/// Fails if the table `name` in `document` is not `table`, or rewrites it.
#[track_caller]
pub fn check_table(document: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (listed, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).expect("write access");
    } else {
        assert!(listed == table, "{document}, {name}: run bin/docs; expected:\n{table}");
    }
}

/// Fails if the file is not `text`, or rewrites it.
#[track_caller]
pub fn check_file(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, text).expect("write access");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line = written.lines().zip(text.lines()).find(|(written, line)| written != line);
    assert!(written == text, "{file}: run bin/docs; the first difference: {line:?}");
}
