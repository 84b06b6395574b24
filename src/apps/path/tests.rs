//! Paths with one meaning: every server reads an accepted path alike.

use percent_encoding::percent_decode;
use proptest::prelude::*;

use super::*;

#[test]
fn a_path_that_servers_read_alike_is_decoded() {
    for (raw, decoded) in [
        ("/", "/"),
        ("/admin", "/admin"),
        ("/admin/", "/admin/"),
        ("/a/b.c/d..e", "/a/b.c/d..e"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a%20b/c", "/a b/c"),
        ("/%C3%A4", "/ä"),
        ("/%c3%a4", "/ä"),
        ("/a%40b@c", "/a@b@c"),
        ("/what%3F", "/what?"),
        ("/a|b^c{d}[e]\"", "/a|b^c{d}[e]\""),
        ("/~ada/a-b_c", "/~ada/a-b_c"),
    ] {
        assert_eq!(canonical(raw).as_deref(), Ok(decoded.as_bytes()), "{raw}");
    }
}

#[test]
fn a_path_that_servers_read_in_different_ways_is_ambiguous() {
    for (raw, why) in [
        ("", AmbiguousPath::NotAbsolute),
        ("*", AmbiguousPath::NotAbsolute),
        ("admin", AmbiguousPath::NotAbsolute),
        ("//admin", AmbiguousPath::EmptySegment),
        ("/a//b", AmbiguousPath::EmptySegment),
        ("/a//", AmbiguousPath::EmptySegment),
        ("/./admin", AmbiguousPath::DotSegment),
        ("/public/../admin", AmbiguousPath::DotSegment),
        ("/admin/.", AmbiguousPath::DotSegment),
        ("/public/%2e%2e/admin", AmbiguousPath::DotSegment),
        ("/public/.%2E/admin", AmbiguousPath::DotSegment),
        ("/admin.", AmbiguousPath::TrailingDot),
        ("/admin%20", AmbiguousPath::TrailingDot),
        ("/admin./x", AmbiguousPath::TrailingDot),
        ("/.../x", AmbiguousPath::TrailingDot),
        ("/public/..%2fadmin", AmbiguousPath::HiddenSeparator),
        ("/public%2Fx", AmbiguousPath::HiddenSeparator),
        ("/a%5cb", AmbiguousPath::HiddenSeparator),
        ("/a%00", AmbiguousPath::HiddenSeparator),
        ("/%2561dmin", AmbiguousPath::HiddenSeparator),
        ("/a\\b", AmbiguousPath::Backslash),
        ("/admin;x", AmbiguousPath::Parameters),
        ("/admin%3Bx", AmbiguousPath::Parameters),
        ("/%61dmin", AmbiguousPath::NeedlessEscape),
        ("/a%2Db", AmbiguousPath::NeedlessEscape),
        ("/a%7eb", AmbiguousPath::NeedlessEscape),
        ("/a%", AmbiguousPath::BrokenEscape),
        ("/a%4", AmbiguousPath::BrokenEscape),
        ("/a%zz", AmbiguousPath::BrokenEscape),
        ("/a%u0061", AmbiguousPath::BrokenEscape),
        ("/a%+1", AmbiguousPath::BrokenEscape),
        ("/a\tb", AmbiguousPath::ControlByte),
        ("/a%0d%0ab", AmbiguousPath::ControlByte),
        ("/a%7F", AmbiguousPath::ControlByte),
        ("/a b", AmbiguousPath::NotAscii),
        ("/ä", AmbiguousPath::NotAscii),
        ("/admin?x", AmbiguousPath::NotAscii),
        ("/admin#/public", AmbiguousPath::NotAscii),
    ] {
        assert_eq!(canonical(raw), Err(why), "{raw:?}");
    }
}

#[test]
fn below_a_path_ends_at_a_slash() {
    let admin = RulePath::parse("/admin").unwrap();
    for (path, is_below) in [
        ("/admin", true),
        ("/admin/", true),
        ("/admin/x", true),
        ("/administrator", false),
        ("/", false),
        ("/Admin", false),
    ] {
        assert_eq!(admin.is_above(path.as_bytes(), false), is_below, "{path}");
    }
    let slash = RulePath::parse("/admin/").unwrap();
    assert!(slash.is_above(b"/admin", false) && slash.is_above(b"/admin/x", false));
    let root = RulePath::parse("/").unwrap();
    assert!(root.is_above(b"/", false) && root.is_above(b"/x", false));
    assert!(admin.is_above(&folded("/ADMIN/x".as_bytes()), true));
    let street = RulePath::parse("/straße").unwrap();
    assert!(street.is(&folded("/STRASSE".as_bytes()), true), "capitals of ß are SS");
}

#[test]
fn a_slash_at_the_end_leads_past_no_exact_path() {
    for text in ["/admin", "/admin/"] {
        let admin = RulePath::parse(text).unwrap();
        for (path, is_it) in [
            ("/admin", true),
            ("/admin/", true),
            ("/admin/x", false),
            ("/administrator", false),
            ("/", false),
        ] {
            assert_eq!(admin.is(path.as_bytes(), false), is_it, "{text} {path}");
        }
    }
    let root = RulePath::parse("/").unwrap();
    assert!(root.is(b"/", false) && !root.is(b"/x", false));
}

#[test]
fn a_path_of_a_rule_is_read_as_it_is_shown() {
    for text in ["/", "/admin", "/a b", "/ä/ö", "/a@b:c", "/what%3F", "/a|b"] {
        let path = RulePath::parse(text).unwrap();
        assert_eq!(RulePath::parse(&path.to_string()), Ok(path), "{text}");
    }
    assert_eq!(RulePath::parse("/ä").unwrap().to_string(), "/%C3%A4");
    for bad in ["", "admin", "/a/../b", "/a//b", "/%61", "/a;b", "/a*/../b"] {
        assert!(matches!(RulePath::parse(bad), Err(InvalidRulePath::Ambiguous(_))), "{bad}");
    }
    assert_eq!(RulePath::parse(&format!("/{}", "x".repeat(1024))), Err(InvalidRulePath::TooLong));
}

#[test]
fn what_a_lenient_decoder_reads_as_a_separator_or_as_dots_is_refused() {
    for (raw, why) in [
        ("/public/%c0%ae%c0%ae/admin", AmbiguousPath::BrokenEscape),
        ("/public%c0%afadmin", AmbiguousPath::BrokenEscape),
        ("/%ff", AmbiguousPath::BrokenEscape),
        ("/public%ef%bc%8fadmin", AmbiguousPath::HiddenSeparator),
        ("/public%ef%bc%bcadmin", AmbiguousPath::HiddenSeparator),
        ("/public/%ef%bc%8e%ef%bc%8e/admin", AmbiguousPath::DotSegment),
        ("/public/%e2%80%a5/admin", AmbiguousPath::DotSegment),
    ] {
        assert_eq!(canonical(raw), Err(why), "{raw}");
    }
    assert_eq!(canonical("/caf%C3%A9").as_deref(), Ok("/caf\u{e9}".as_bytes()));
}

/// The ways in which servers turn a path into the name of a resource. Some server does each of them.
fn readings(raw: &str) -> Vec<Vec<u8>> {
    let decoded = |path: &[u8]| percent_decode(path).collect::<Vec<u8>>();
    let per_segment = |path: &[u8], change: &dyn Fn(&[u8]) -> Vec<u8>| {
        path.split(|byte| *byte == b'/').map(change).collect::<Vec<_>>().join(&b'/')
    };
    let without_dots = |path: &[u8]| {
        let mut kept: Vec<&[u8]> = Vec::new();
        for segment in path.split(|byte| *byte == b'/') {
            match segment {
                b"." => {}
                b".." => drop(kept.pop()),
                _ => kept.push(segment),
            }
        }
        kept.join(&b'/')
    };
    let merged = |path: &[u8]| {
        let mut path = path.to_vec();
        path.dedup_by(|a, b| *a == b'/' && *b == b'/');
        path
    };
    let before_parameters = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap().to_vec();
    let trimmed = |segment: &[u8]| {
        let end = segment.iter().rposition(|byte| !b". ".contains(byte)).map_or(0, |at| at + 1);
        segment[..end].to_vec()
    };
    let raw = raw.as_bytes();
    let once = decoded(raw);
    vec![
        decoded(&once),
        without_dots(&once),
        decoded(&without_dots(raw)),
        merged(&once),
        decoded(&merged(raw)),
        once.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect(),
        per_segment(&once, &before_parameters),
        decoded(&per_segment(raw, &before_parameters)),
        per_segment(&once, &trimmed),
        once.split(|byte| *byte == 0).next().unwrap().to_vec(),
        once,
    ]
}

proptest! {
    #[test]
    fn every_server_reads_an_accepted_path_alike(
        raw in "(/([a-z.;\\\\ %?#]|%2[eEfF05]|%5[cC]|%00|%25|%3[bB]|%61|%C3%A4|ä|\\.\\.|/){0,6}){1,4}",
    ) {
        if let Ok(path) = canonical(&raw) {
            for reading in readings(&raw) {
                prop_assert_eq!(&reading, path.as_ref(), "{}", raw);
            }
        }
    }

    #[test]
    fn no_path_makes_it_panic(raw in "\\PC*") {
        let _ = canonical(&raw);
        let _ = RulePath::parse(&raw);
    }

    #[test]
    fn an_ordinary_path_is_accepted(raw in "(/[a-zA-Z0-9_~-]([a-zA-Z0-9._~@:!$&'()*+,=-]{0,8}[a-zA-Z0-9_~-])?){1,5}/?") {
        let path = canonical(&raw);
        prop_assert_eq!(path.as_deref(), Ok(raw.as_bytes()));
    }
}
