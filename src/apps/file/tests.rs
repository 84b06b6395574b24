//! Files of apps.

use uuid::Uuid;

use super::*;
use crate::apps::{Access, AppSource, RequiredFactor, RuleRefusal};
use crate::db::Failed;

/// The example of the documents.
const WIKI: &str = r#"
[apps.wiki]
name = "Wiki"
origins = ["https://wiki.example.org"]
upstream = "http://wiki:3000"

[[apps.wiki.rules]]
below = "/admin"
groups = ["wiki-admins"]
factor = "two"
fresh = "10m"

[[apps.wiki.rules]]
all = true
groups = ["staff"]
"#;

const ADA: UserId = UserId(Uuid::from_u128(1));

/// The app of a file, in which Ada is the only user.
fn app(text: &str) -> Result<App, FileRefusal> {
    let file = AppsFile::parse(text)?;
    let (slug, entry) = file.apps.first_key_value().unwrap();
    let mut user = |text: &str| Ok((text == "ada@example.org").then_some(ADA));
    let app = entry.app(Slug::parse(slug).unwrap(), AppSource::File, &(None, Vec::new()), &mut user);
    app.map_err(|failed| match failed {
        Failed::Refused(why) => why.of(slug),
        Failed::Fault(fault) => panic!("{fault}"),
    })
}

fn exported(app: &App) -> String {
    AppsFile::of([app], &|_| "ada@example.org".to_owned()).to_toml()
}

#[test]
fn an_app_is_read_from_its_file() {
    let wiki = app(WIKI).unwrap();
    assert_eq!((wiki.name.as_str(), wiki.slug.as_str(), wiki.source), ("Wiki", "wiki", AppSource::File));
    assert_eq!(wiki.upstream.unwrap().to_string(), "http://wiki:3000");
    assert_eq!(wiki.rules.len(), 2);
    assert_eq!(wiki.rules[0].factor, RequiredFactor::Two);
    assert_eq!(wiki.rules[0].fresh, Some(std::time::Duration::from_secs(600)));
    assert_eq!(wiki.rules[1].access.groups()[0].as_str(), "staff");
}

#[test]
fn what_is_exported_makes_the_same_app() {
    let everything = r#"
[apps.wiki]
name = "The “Wiki”"
enabled = false
mode = "forward-auth"
origins = ["https://wiki.example.org", "https://w.example.org:8443"]
upstream = "https://wiki:3000"
upstream_ca = """
-----BEGIN CERTIFICATE-----
MA==
-----END CERTIFICATE-----
"""
host = "upstream"
remote_user = "email"
also_from = ["https://shop.example.org"]
app_cookies = ["sid", "csrf"]
ignore_case = true
explain = "groups"
max_body = 1000000
connect = "5s"
head = "2m"
idle = "1h"
max_in_flight = 7
close_code = 4001

[apps.wiki.headers]
user = "X-WEBAUTH-USER"

[[apps.wiki.rules]]
exact = "/a b/ä"
methods = ["get", "POST"]
networks = ["10.0.0.0/8", "::1"]
access = "open"
note = "for \"everyone\""

[[apps.wiki.rules]]
below = "/x"
users = ["ada@example.org"]
role = "admin"
groups = ["staff"]
factor = "passkey"
tokens = true
"#;
    for text in [WIKI, everything, "[apps.a]\nupstream = \"http://a\"\nrules = []\n"] {
        let first = app(text).unwrap();
        let again = app(&exported(&first)).unwrap();
        assert_eq!(again, App { id: again.id, ..first.clone() }, "{}", exported(&first));
        assert_eq!(exported(&again), exported(&first));
    }
    assert!(app(everything).unwrap().rules[0].access == Access::Open);
}

#[test]
fn a_key_that_means_nothing_is_an_error_with_its_line() {
    for (text, said) in [
        ("[app.wiki]\n", "app"),
        ("[apps.wiki]\nupstreams = \"http://a\"\n", "upstreams"),
        ("[apps.wiki]\n[apps.wiki.headers]\nuid = \"X\"\n", "uid"),
        ("[[apps.wiki.rules]]\nall = true\ngroup = [\"staff\"]\n", "group"),
        ("[apps.wiki]\nname = \"a\"\nname = \"b\"\n", "duplicate"),
        ("[apps.wiki\n", "line 1"),
    ] {
        match app(text) {
            Err(FileRefusal::Malformed(parser)) => assert!(parser.contains(said), "{parser}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(app("[apps.Wiki]\n"), Err(AppRefusal::InvalidSlug.of("Wiki")));
}

#[test]
fn a_rule_says_for_which_paths_it_is_and_who_is_let_in() {
    for (rule, why) in [
        ("all = true", RuleRefusal::NoAccess),
        ("access = \"open\"", RuleRefusal::NoPath),
        ("all = false\naccess = \"open\"", RuleRefusal::NoPath),
        ("all = true\nbelow = \"/\"\naccess = \"open\"", RuleRefusal::SeveralPaths),
        ("below = \"/\"\nexact = \"/\"\naccess = \"open\"", RuleRefusal::SeveralPaths),
        ("all = true\ngroups = []", RuleRefusal::EmptyList),
        ("all = true\nusers = []\nrole = \"admin\"", RuleRefusal::EmptyList),
        ("all = true\nmethods = []\naccess = \"open\"", RuleRefusal::EmptyList),
        ("all = true\nnetworks = []\naccess = \"open\"", RuleRefusal::EmptyList),
        ("all = true\naccess = \"open\"\nrole = \"admin\"", RuleRefusal::TwoAnswers),
        ("all = true\naccess = \"all\"", RuleRefusal::UnknownAccess { text: "all".into() }),
        ("all = true\nrole = \"root\"", RuleRefusal::UnknownRole { text: "root".into() }),
        ("all = true\ngroups = [\"Staff\"]", RuleRefusal::Group { text: "Staff".into() }),
        (
            "all = true\nusers = [\"eve@example.org\"]",
            RuleRefusal::UnknownUser { text: "eve@example.org".into() },
        ),
        ("all = true\naccess = \"open\"\nfresh = \"soon\"", RuleRefusal::Fresh),
        (
            "all = true\naccess = \"signed-in\"\nfactor = \"three\"",
            RuleRefusal::UnknownFactor { text: "three".into() },
        ),
        (
            "all = true\naccess = \"open\"\nnetworks = [\"10.0.0.1/8\"]",
            RuleRefusal::Network { text: "10.0.0.1/8".into() },
        ),
    ] {
        let text = format!("[[apps.wiki.rules]]\n{rule}\n");
        assert_eq!(app(&text), Err(why.at(0).of("wiki")), "{rule}");
    }
}
