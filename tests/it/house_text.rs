//! The house rule about text: users read only what `web` (and `cli`, for commands) says. The domain has data.

use crate::support::files::{files_with, root};
use std::collections::BTreeSet;
use std::fs;

/// The rooms of the domain. Below them, settings, database and mail tell operators in the log what is wrong; `cleanup` has
/// the table of `docs/security.md`, and the lab its own errors.
const ROOMS: [&str; 16] = [
    "accounts",
    "apps",
    "audit",
    "factors",
    "groups",
    "identity",
    "login",
    "maintenance",
    "notices",
    "passwords",
    "recovery",
    "registration",
    "throttle",
    "tokens",
    "unicode",
    "users",
];

/// Text for the log or for the compiler.
const NOT_SHOWN: [&str; 6] =
    ["tracing::", "Fault::bug(", "fault(", "Misconfigured::new(", "unreachable!(", "#["];

/// All other text, by file and first words, with its purpose.
const EXCEPTIONS: [(&str, &str); 10] = [
    // Values in the report of `latchkey audit verify --json`.
    ("audit/chain.rs", "cut off"),
    ("audit/chain.rs", "erased, but the user exists"),
    // Written by earlier versions.
    ("audit/detail.rs", "of everybody"),
    // Stored as the user agent of the command line.
    ("identity/client.rs", "latchkey command line"),
    // Lines of PEM.
    ("apps/upstream.rs", "-----BEGIN CERTIFICATE-----"),
    ("apps/upstream.rs", "-----END CERTIFICATE-----"),
    // The purposes of derived keys.
    ("factors/recovery_codes.rs", "latchkey recovery code"),
    ("notices/reset_links.rs", "decoy account"),
    // Errors for the log and for the operator at the start.
    ("passwords/hasher/busy.rs", "too many log-ins at once, try again in {} seconds"),
    ("passwords/hash.rs", "password hashing cannot cost {memory_kib} KiB"),
];

/// A string in the code, and the code of its statement before it.
struct Literal {
    text: String,
    before: String,
}

/// The strings of a source without its tests, comments and attributes.
fn literals(source: &str) -> Vec<Literal> {
    let product = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n").replace("'\"'", "' '");
    let (mut found, mut statement, mut rest) = (Vec::new(), String::new(), code.chars());
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                let mut text = String::new();
                while let Some(c) = rest.next().filter(|c| *c != '"') {
                    text.push(c);
                    text.extend((c == '\\').then(|| rest.next()).flatten());
                }
                found.push(Literal { text, before: statement.clone() });
            }
            ';' | '{' | '}' => statement.clear(),
            c => statement.push(c),
        }
    }
    found
}

/// Whether a text has two words or more, not counting what is filled in.
fn is_in_words(text: &str) -> bool {
    let outside: String =
        text.split('{').map(|part| part.split_once('}').map_or(part, |(_, after)| after)).collect();
    let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1 && !word.contains('_');
    outside.split_whitespace().filter(is_word).count() > 1
}

#[test]
fn the_domain_has_no_text() {
    let src = root().join("src");
    let (mut read, mut sentences, mut excepted) = (0, Vec::new(), BTreeSet::<&(&str, &str)>::new());
    for file in files_with(&src, "rs") {
        let path = file.strip_prefix(&src).expect("below src").display().to_string();
        let room = path.split(['/', '.']).next().unwrap_or_default();
        let is_apart = path.contains("/queries") || path.ends_with("tests.rs");
        // The columns of tables.
        if !ROOMS.contains(&room) || is_apart || path.ends_with("secret_scan.rs") {
            continue;
        }
        read += 1;
        for Literal { text, before } in literals(&fs::read_to_string(&file).expect("a source")) {
            let is_shown = !NOT_SHOWN.iter().any(|call| before.contains(call));
            if !is_shown || !is_in_words(&text) {
                continue;
            }
            match EXCEPTIONS.iter().find(|(file, start)| *file == path && text.starts_with(start)) {
                Some(exception) => excepted.extend([exception]),
                None => sentences.push(format!("src/{path}: {text}")),
            }
        }
    }
    assert!(read > 80, "{read} sources");
    assert_eq!(excepted.len(), EXCEPTIONS.len(), "exceptions in use: {excepted:?}");
    assert!(sentences.is_empty(), "text outside of web and cli:\n{}", sentences.join("\n"));
}

#[test]
fn a_sentence_is_told_from_a_name_and_from_the_log() {
    let found = |source: &str| -> Vec<String> {
        let shown = literals(source).into_iter().filter(|literal| !literal.before.contains("tracing::"));
        shown.map(|literal| literal.text).filter(|text| is_in_words(text)).collect()
    };
    assert_eq!(found(r#"fn f() { f.write_str("Enter a \"name\".") }"#), [r#"Enter a \"name\"."#]);
    assert_eq!(found(r#"Self::Locked => "locked for good", // "a comment""#), ["locked for good"]);
    let none = r#"let c = '"'; name("kebab-case", "{device} ({number})"); tracing::warn!(id, "it is so");"#;
    assert!(found(none).is_empty());
    assert!(found("// \"in a comment\"\n#[cfg(test)]\nmod tests { \"in a test\" }").is_empty());
}
