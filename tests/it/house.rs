//! Checks the house rules against the source: allowed imports, where SQL may be, and what a template may contain.

use crate::support::files::{files_below, root};
use std::collections::BTreeMap;
use std::fs;

/// In order: each room may import those before it.
const ROOMS: [&str; 25] = [
    "secret",
    "device",
    "unicode",
    "config",
    "db",
    "mail",
    "identity",
    "passwords",
    "audit",
    "throttle",
    "notices",
    "factors",
    "cleanup",
    "login",
    "recovery",
    "registration",
    "users",
    "maintenance",
    "groups",
    "apps",
    "tokens",
    "accounts",
    "lab",
    "web",
    "cli",
];

/// Crates of this workspace that are part of the program. They import nothing of it.
const CRATES: [&str; 3] = ["db", "local-postgres", "sessions"];

const LONGEST_FILE: usize = 400;

/// What diesel prints.
const GENERATED: [&str; 2] = ["db/schema.rs", "crates/sessions/schema.rs"];

struct Source {
    /// The path below `src`, such as `web/form.rs`, or `crates/sessions/store.rs` for a crate.
    path: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let path = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        let first = path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn is_in_a_crate(&self) -> bool {
        self.path.starts_with("crates/")
    }

    /// Without test code and comments.
    fn code(&self) -> String {
        // A room's tests may have a file of their own.
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let lines = product(&self.text).lines();
        lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    #[track_caller]
    fn lacks(&self, words: &str) {
        assert!(!self.code().contains(words), "src/{} has {words}", self.path);
    }
}

/// Tests are at the end of their file.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default()
}

fn sources() -> Vec<Source> {
    let mut sources = sources_below("src", "");
    for name in CRATES {
        sources.extend(sources_below(&format!("crates/{name}/src"), &format!("crates/{name}/")));
    }
    assert!(sources.len() > 80, "{} sources", sources.len());
    sources
}

fn sources_below(directory: &str, prefix: &str) -> Vec<Source> {
    let directory = root().join(directory);
    files_below(&directory)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| Source {
            path: format!("{prefix}{}", file.strip_prefix(&directory).expect("below it").display()),
            text: fs::read_to_string(&file).expect("a source"),
        })
        .collect()
}

/// The rooms that a text names: `crate::room` and `crate::{room, …}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(
                list.split('}').next().unwrap_or_default().split(',').map(|item| first_word(item.trim())),
            ),
            None => rooms.push(first_word(rest)),
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn rooms_import_leftwards_only() {
    for source in sources().iter().filter(|source| !source.is_in_a_crate()) {
        let Some(here) = ROOMS.iter().position(|room| *room == source.room()) else {
            assert!(["lib", "main"].contains(&source.room()), "src/{} is in no room", source.path);
            continue;
        };
        for room in imports(&source.code()) {
            let there = ROOMS.iter().position(|known| *known == room);
            let there =
                there.unwrap_or_else(|| panic!("src/{} imports the unknown room {room}", source.path));
            assert!(there <= here, "src/{} imports {room}", source.path);
        }
    }
}

/// The compiler checks the rest: a crate can name only the dependencies in its manifest.
#[test]
fn crates_know_neither_the_application_nor_its_settings() {
    for name in CRATES {
        let manifest =
            fs::read_to_string(root().join(format!("crates/{name}/Cargo.toml"))).expect("a manifest");
        assert!(!manifest.lines().any(|line| line.starts_with("latchkey.") || line.starts_with("latchkey ")));
    }
    for source in sources().iter().filter(|source| source.is_in_a_crate()) {
        source.lacks("LATCHKEY__");
        source.lacks("latchkey.toml");
    }
}

/// Other instances may have cached any other session.
#[test]
fn only_the_lab_does_not_wait_for_other_instances() {
    for source in sources() {
        if source.room() != "lab" && !source.is_in_a_crate() {
            source.lacks(".uncached()");
        }
    }
}

/// The lab with its pages and commands. All other code gets at most a value of type `Lab`, which the composition root
/// creates and passes on, so that no guard can accept a token, and the setting `LATCHKEY__COMPARE` removes all of it.
#[test]
fn the_lab_is_a_wing_of_its_own() {
    let wing = ["lab/", "web/pages/compare/", "cli/prove/"];
    for source in sources() {
        if source.path.starts_with("lab/jwt/") {
            assert!(imports(&source.code()).is_empty(), "src/{} imports another room", source.path);
        }
        if wing.iter().any(|part| source.path.starts_with(part)) {
            continue;
        }
        let code = source.code();
        let named: Vec<&str> = code.lines().filter(|line| line.contains("crate::lab")).collect();
        let allowed: &[&str] = match source.path.as_str() {
            "web/http/shared.rs" | "web/pages/context.rs" | "cli/serve.rs" => &["use crate::lab::Lab;"],
            // In builds for `bin/bench` only, outside of sessions and guards.
            "web/yardstick.rs" => &["use crate::lab::jwt;"],
            _ => &[],
        };
        assert!(named.iter().all(|line| allowed.contains(line)), "src/{}: {named:?}", source.path);
        if source.path != "web/yardstick.rs" {
            source.lacks("jsonwebtoken");
        }
        if source.path != "web/routes.rs" {
            source.lacks("compare::");
        }
    }
}

#[test]
fn sql_is_spoken_in_queries_only() {
    for source in sources().iter().filter(|source| {
        let speaks = source.room() == "db"
            || source.path.contains("/queries/")
            || source.path.ends_with("/queries.rs");
        !speaks
    }) {
        for words in [
            "sql_query",
            "insert_into",
            "diesel::update",
            "diesel::delete",
            "diesel::select",
            "diesel::dsl",
            "batch_execute",
            ".get_result",
            ".execute(conn",
            ".load(conn",
            ".first(conn",
            "::table\n",
            "::table.",
            "\"SELECT ",
            "\"INSERT ",
            "\"UPDATE ",
            "\"DELETE ",
        ] {
            source.lacks(words);
        }
    }
}

#[test]
fn sql_is_never_put_together_from_input() {
    for source in sources() {
        let code = source.code();
        for rest in code.split("sql_query(").skip(1) {
            let built = rest.trim_start().starts_with("format!") || rest.trim_start().starts_with('&');
            // Only constants of the same file are inserted there.
            let literal = match source.path.as_str() {
                "users/queries/admin.rs" => code.contains("moments: &'static str"),
                "db/migrations.rs" => code.contains("name: &'static str") || rest.contains("{LOCK}"),
                _ => false,
            };
            assert!(!built || literal, "src/{} puts a statement together", source.path);
        }
    }
}

#[test]
fn blocking_calls_stay_in_the_named_files() {
    for source in sources() {
        let allowed = [
            "crates/db/blocking.rs",
            "crates/sessions/background.rs",
            "crates/sessions/listener.rs",
            "passwords/hasher.rs",
            // The threads of the resolver, and the certificates that an upstream is verified with.
            "web/proxy/resolver.rs",
            "web/proxy/connect.rs",
        ]
        .contains(&source.path.as_str())
            || source.room() == "cli";
        if !allowed {
            for words in
                ["web::block", "spawn_blocking", "block_in_place", "thread::spawn", "thread::Builder"]
            {
                if source.room() == "local-postgres" && words.starts_with("thread::") {
                    continue;
                }
                source.lacks(words);
            }
        }
    }
}

#[test]
fn only_the_settings_read_the_environment_and_only_the_clockwork_waits() {
    for source in sources() {
        // A private server is found through PATH; the command line reads the operator's environment.
        if !["config", "cli"].contains(&source.room()) && source.room() != "local-postgres" {
            for words in ["env::var", "env::vars", "std::env::args"] {
                source.lacks(words);
            }
        }
        // The invalidation listener has its own thread.
        if !["db", "local-postgres", "cli"].contains(&source.room())
            && source.path != "crates/sessions/listener.rs"
        {
            source.lacks("thread::sleep");
        }
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    for source in sources() {
        assert!(
            GENERATED.contains(&source.path.as_str()) || source.text.starts_with("//! "),
            "src/{} does not begin with //!",
            source.path
        );
    }
    for file in
        files_below(&root().join("tests")).iter().filter(|file| file.extension().is_some_and(|e| e == "rs"))
    {
        let text = fs::read_to_string(file).expect("a test");
        assert!(text.starts_with("//! "), "{} does not begin with //!", file.display());
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(
            lines <= LONGEST_FILE || GENERATED.contains(&source.path.as_str()),
            "src/{} has {lines} lines",
            source.path
        );
    }
}

#[test]
fn no_unfinished_or_panicking_code_is_left() {
    for source in sources() {
        for words in [
            ".unwrap()",
            ".unwrap_err()",
            "todo!",
            "unimplemented!",
            "dbg!",
            "panic!(",
            "FIXME",
            "XXX",
            "println!(",
        ] {
            if words == "println!(" && (source.room() == "cli" || source.room() == "main") {
                continue;
            }
            source.lacks(words);
        }
        for marker in ["TODO", "FIXME", "HACK"] {
            assert!(!source.text.contains(marker), "src/{} has {marker}", source.path);
        }
    }
}

/// An operation that refuses returns `Failed<R>`, which `?` passes on.
#[test]
fn no_result_is_nested_in_another() {
    // Code that waits gets a result inside the result of the time limit or the channel.
    let waiting = ["crates/sessions/batch_loader.rs", "crates/sessions/session_tx.rs"];
    for source in sources() {
        // Splits a `Failed<R>` for callers that show the refusal.
        if source.path == "crates/db/failed.rs" {
            continue;
        }
        source.lacks("Result<Result<");
        if !waiting.contains(&source.path.as_str()) {
            source.lacks("Ok(Ok(");
            source.lacks("Ok(Err(");
        }
    }
}

#[test]
fn no_test_is_ignored() {
    for file in files_below(&root().join("tests/it")) {
        let text = fs::read_to_string(&file).expect("a test");
        // In two parts; otherwise this file would match.
        for reason in text.split(concat!("#[ig", "nore")).skip(1) {
            assert!(reason.starts_with(" = \"not a test: "), "{}", file.display());
        }
    }
}

#[test]
fn rooms_have_no_drawers_for_odds_and_ends() {
    for source in sources() {
        for part in source.path.split('/') {
            let name = part.strip_suffix(".rs").unwrap_or(part);
            for vague in ["util", "helper", "manager", "common", "misc"] {
                assert!(!name.contains(vague), "src/{}", source.path);
            }
        }
        let globs =
            source.code().lines().filter(|line| line.starts_with("use ") && line.contains("::*")).count();
        let known = source.code().matches("use diesel::prelude::*").count();
        assert!(globs <= known, "src/{} has a glob import", source.path);
    }
}

#[test]
fn client_claims_about_the_host_are_never_asked_for() {
    for source in sources() {
        source.lacks("connection_info");
        source.lacks("ConnectionInfo");
        source.lacks("realip_remote_addr");
    }
}

#[test]
fn templates_hold_no_script_no_style_and_nothing_unescaped() {
    let templates = files_below(&root().join("templates"));
    assert!(templates.len() > 30);
    for file in templates {
        let text = fs::read_to_string(&file).expect("a template");
        let place = file.display();
        let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(!squeezed.contains("|safe"), "{place}");
        let mut lower = text.to_lowercase();
        // Our own scripts, on the pages that need them.
        if file.ends_with("layout.html") {
            lower = lower.replacen(r#"<script type="module" src="{{ script }}"></script>"#, "", 1);
        }
        for words in ["<script", "javascript:", "<iframe", "<object", "<base", "http-equiv"] {
            assert!(!lower.contains(words), "{place} has {words}");
        }
        // Mail programs use no style sheet. Pages on the hosts of apps can load none, and their policy has its hash.
        if !["/mail/", "/front/"].iter().any(|part| place.to_string().contains(part)) {
            assert!(!lower.contains("style=") && !lower.contains("<style"), "{place} has a style of its own");
        }
        for attribute in lower.split(" on").skip(1) {
            let name: String = attribute.chars().take_while(char::is_ascii_alphabetic).collect();
            assert!(!attribute[name.len()..].starts_with('='), "{place} has on{name}=");
        }
        // Everything is loaded from this site.
        for source in ["src=\"http", "href=\"http", "url(http"] {
            assert!(!lower.contains(source), "{place} has {source}");
        }
    }
}

#[test]
fn the_style_sheet_loads_nothing() {
    let css = fs::read_to_string(root().join("static/app.css")).expect("the style sheet");
    for words in ["@import", "url(", "expression("] {
        assert!(!css.contains(words), "{words}");
    }
}

type Colour = [f64; 3];

/// Every `--name: light-dark(oklch(…), oklch(…))`, as linear sRGB.
fn colours() -> BTreeMap<String, [Colour; 2]> {
    let css = fs::read_to_string(root().join("static/app.css")).expect("the style sheet");
    let mut colours = BTreeMap::new();
    for line in css.lines() {
        let Some((name, value)) =
            line.trim().strip_prefix("--").and_then(|line| line.split_once(": light-dark("))
        else {
            continue;
        };
        let sides: Vec<Colour> = value
            .split("oklch(")
            .skip(1)
            .map(|text| {
                let numbers: Vec<f64> = text
                    .split(')')
                    .next()
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(|number| match number.strip_suffix('%') {
                        Some(percent) => percent.parse::<f64>().expect("a number") / 100.0,
                        None => number.parse().expect("a number"),
                    })
                    .collect();
                linear(numbers[0], numbers[1], numbers[2])
            })
            .collect();
        colours.insert(name.to_owned(), [sides[0], sides[1]]);
    }
    colours
}

/// OKLCH to linear sRGB, clipped to the sRGB gamut (Björn Ottosson, "A perceptual color space", 2020).
fn linear(lightness: f64, chroma: f64, hue: f64) -> Colour {
    let (a, b) = (chroma * hue.to_radians().cos(), chroma * hue.to_radians().sin());
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ]
    .map(|part| part.clamp(0.0, 1.0))
}

/// The contrast ratio of WCAG 2.2.
fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |[r, g, b]: Colour| 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn white_on_black_is_21_and_primaries_are_themselves() {
    let (black, white) = (linear(0.0, 0.0, 0.0), linear(1.0, 0.0, 0.0));
    assert!((contrast(black, white) - 21.0).abs() < 0.01);
    let red = linear(0.627_955, 0.257_683, 29.234);
    assert!((red[0] - 1.0).abs() < 0.001 && red[1] < 0.001 && red[2] < 0.001, "{red:?}");
}

#[test]
fn text_can_be_read_in_light_and_in_dark() {
    let colours = colours();
    let mut pairs = Vec::new();
    for ink in ["ink", "muted", "pine", "pine-deep", "brick", "brick-deep"] {
        for ground in ["paper", "surface", "sunken"] {
            pairs.push((ink, ground));
        }
    }
    pairs.extend([
        ("on-pine", "pine"),
        ("on-pine", "pine-deep"),
        ("on-brick", "brick"),
        ("on-brick", "brick-deep"),
        ("good-ink", "good-ground"),
        ("warn-ink", "warn-ground"),
        ("bad-ink", "bad-ground"),
    ]);
    let mut faint = Vec::new();
    for (ink, ground) in pairs {
        for (side, scheme) in ["light", "dark"].into_iter().enumerate() {
            let ratio = contrast(colours[ink][side], colours[ground][side]);
            if ratio < 4.5 {
                faint.push(format!("{ink} on {ground} in {scheme}: {ratio:.2}"));
            }
        }
    }
    assert!(faint.is_empty(), "{}", faint.join("\n"));
}

#[test]
fn the_edges_of_fields_can_be_seen_in_light_and_in_dark() {
    let colours = colours();
    for ground in ["paper", "surface"] {
        for (edge, ground_colour) in colours["edge"].into_iter().zip(colours[ground]) {
            let ratio = contrast(edge, ground_colour);
            assert!(ratio >= 3.0, "edge on {ground}: {ratio:.2}");
        }
    }
}
