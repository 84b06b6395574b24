//! One family of headers is read, and nothing unusual is accepted in it.

use actix_web::http::header::HeaderValue;

use super::*;

const NGINX: [(&str, &str); 3] = [
    ("x-original-url", "https://wiki.example.org/a?b"),
    ("x-original-method", "PUT"),
    ("x-forwarded-for", "192.0.2.7"),
];

const FORWARD: [(&str, &str); 5] = [
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "wiki.example.org"),
    ("x-forwarded-uri", "/a?b"),
    ("x-forwarded-method", "PUT"),
    ("x-forwarded-for", "192.0.2.7"),
];

const ENVOY: [(&str, &str); 3] =
    [("x-forwarded-proto", "https"), ("host", "wiki.example.org"), ("x-forwarded-for", "192.0.2.7")];

fn family(flavour: Flavour) -> &'static [(&'static str, &'static str)] {
    match flavour {
        Flavour::Nginx => &NGINX,
        Flavour::Forward | Flavour::Haproxy => &FORWARD,
        Flavour::Envoy => &ENVOY,
    }
}

/// A decision about `PUT /a?b`, with its headers changed.
fn read_with(flavour: Flavour, change: impl Fn(&mut HeaderMap)) -> Result<AskedRequest, MisreadHeader> {
    let mut head = RequestHead::default();
    head.method = Method::PUT;
    for (name, value) in family(flavour) {
        head.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    change(&mut head.headers);
    AskedRequest::read(flavour, &head, "/a?b", 1)
}

fn set(flavour: Flavour, name: &'static str, value: &str) -> Result<AskedRequest, MisreadHeader> {
    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
    read_with(flavour, |headers| {
        headers.insert(HeaderName::from_static(name), value.clone());
    })
}

fn refused(read: Result<AskedRequest, MisreadHeader>) -> String {
    read.expect_err("an error").name.to_string()
}

#[test]
fn each_proxy_describes_the_same_request() {
    let whole = AskedRequest {
        method: Method::PUT,
        is_https: true,
        host: "wiki.example.org".to_owned(),
        target: Target::Read(Uri::from_static("/a?b")),
        client: "192.0.2.7".parse().unwrap(),
    };
    for flavour in Flavour::ALL {
        assert_eq!(read_with(flavour, |_| {}).as_ref(), Ok(&whole), "{flavour:?}");
        // The headers of the other families do not matter.
        let with_others = read_with(flavour, |headers| {
            for (name, _) in NGINX.iter().chain(&FORWARD) {
                if !headers.contains_key(*name) {
                    headers.append(HeaderName::from_static(name), HeaderValue::from_static("/public"));
                }
            }
        });
        assert_eq!(with_others.as_ref(), Ok(&whole), "{flavour:?}");
    }
}

#[test]
fn a_header_that_is_missing_doubled_empty_or_not_in_ascii_is_named() {
    for flavour in Flavour::ALL {
        for (name, value) in family(flavour) {
            let name = HeaderName::from_static(name);
            let without = read_with(flavour, |headers| {
                headers.remove(&name);
            });
            assert_eq!(refused(without), name.as_str(), "{flavour:?}");
            for broken in ["", "é"] {
                assert_eq!(refused(set(flavour, name_of(&name), broken)), name.as_str(), "{flavour:?}");
            }
            if name != header::X_FORWARDED_FOR {
                let twice = read_with(flavour, |headers| {
                    headers.append(name.clone(), HeaderValue::from_static(value));
                });
                assert_eq!(refused(twice), name.as_str(), "{flavour:?}");
            }
        }
    }
}

fn name_of(name: &HeaderName) -> &'static str {
    let known = NGINX.iter().chain(&FORWARD).chain(&ENVOY).map(|(name, _)| *name);
    known.into_iter().find(|known| *known == name.as_str()).expect("a name")
}

#[test]
fn a_value_that_another_server_could_read_differently_is_refused() {
    for url in [
        "https://wiki.example.org",
        "https://user@wiki.example.org/a",
        "https://wiki.example.org,evil.example/a",
        "https://wiki.example.org/a, https://wiki.example.org/public",
        "https://wiki.example.org?/a",
        "https:///a",
        "wss://wiki.example.org/a",
        "HTTPS://wiki.example.org/a",
        "//wiki.example.org/a",
        "/a",
    ] {
        assert_eq!(refused(set(Flavour::Nginx, "x-original-url", url)), "x-original-url", "{url}");
    }
    for (name, values) in [
        ("x-forwarded-proto", &["https,http", "HTTPS", "wss", "https, https"][..]),
        ("x-forwarded-host", &["a,b", "a, b", "user@a", "a/b", "a b", "a\\b", "a#b"]),
        ("x-forwarded-uri", &["a", "https://wiki.example.org/a", "/a, /public", "/a\t/b", "*", "?a"]),
        ("x-forwarded-method", &["GET,PUT", "GET PUT", "GET, PUT"]),
        ("x-forwarded-for", &["unknown", "192.0.2.7,", "192.0.2.7, _hidden"]),
    ] {
        for value in values {
            assert_eq!(refused(set(Flavour::Forward, name, value)), name, "{value}");
        }
    }
}

#[test]
fn a_target_that_no_url_has_is_ambiguous() {
    for target in ["/public#/../admin", "/a<b", "/a`b", "/#"] {
        let read = set(Flavour::Forward, "x-forwarded-uri", target).unwrap();
        assert_eq!(read.target, Target::Ambiguous, "{target}");
    }
    for target in ["//admin", "/a,/b", "/a?b=c,/d", "/%2e%2e/", "/a;b", "/a|b"] {
        let read = set(Flavour::Forward, "x-forwarded-uri", target).unwrap();
        let Target::Read(uri) = read.target else { panic!("{target}") };
        assert_eq!(uri.path_and_query().map(|target| target.as_str()), Some(target));
    }
}

#[test]
fn hops_are_counted_from_the_right() {
    let client = |list: &str, hops| {
        let mut head = RequestHead::default();
        for (name, value) in FORWARD {
            head.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        head.headers.insert(header::X_FORWARDED_FOR, HeaderValue::from_str(list).unwrap());
        AskedRequest::read(Flavour::Forward, &head, "", hops).map(|read| read.client.to_string()).ok()
    };
    let spoofed = "6.6.6.6, 203.0.113.7, 10.0.0.1";
    assert_eq!(client(spoofed, 1).as_deref(), Some("10.0.0.1"));
    assert_eq!(client(spoofed, 2).as_deref(), Some("203.0.113.7"));
    assert_eq!(client("203.0.113.7", 2), None);
}
