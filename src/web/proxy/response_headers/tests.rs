//! The rules for responses, by example and for any response.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static ORIGINS: LazyLock<(AppOrigin, Upstream)> = LazyLock::new(|| {
    let app = AppOrigin::parse("https://wiki.example.org").expect("an origin");
    (app, Upstream::parse("http://10.0.0.7:3000", None).expect("an upstream"))
});

fn facts() -> ResponseFacts<'static> {
    ResponseFacts { is_private: true, app_origin: &ORIGINS.0, upstream: &ORIGINS.1 }
}

fn passed_back(facts: &ResponseFacts<'_>, sent: &[(&str, &str)]) -> Vec<(String, String)> {
    let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).expect("a name");
    let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).expect("a value");
    let headers = sent.iter().map(|(sent, text)| (name(sent), value(text))).collect();
    let mut out = HeaderMap::new();
    write(ReceivedHeaders(headers), facts, &mut out);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    out.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn value(sent: (&str, &str), facts: &ResponseFacts<'_>) -> Option<String> {
    let out = passed_back(facts, &[sent]);
    out.into_iter().find(|(name, _)| name == &sent.0.to_ascii_lowercase()).map(|(_, value)| value)
}

#[test]
fn cookies_of_the_app_arrive_and_ours_cannot_be_set() {
    let out = passed_back(
        &facts(),
        &[
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "__Host-latchkey-app=x; Path=/; Secure"),
            ("Set-Cookie", "b=2; Path=/"),
            ("Set-Cookie", "=latchkey-state=x"),
        ],
    );
    let set: Vec<&str> =
        out.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect();
    assert_eq!(set, ["a=1", "b=2; Path=/"]);
}

#[test]
fn instructions_to_other_proxies_are_dropped() {
    let out = passed_back(
        &facts(),
        &[
            ("X-Accel-Redirect", "/secret"),
            ("X-Accel-Expires", "600"),
            ("X-Sendfile", "/etc/passwd"),
            ("Alt-Svc", "h3=\":443\""),
            ("Keep-Alive", "timeout=5"),
            ("Connection", "x-hop, content-type"),
            ("X-Hop", "1"),
            ("Content-Type", "text/plain"),
        ],
    );
    let names: Vec<&str> = out.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"content-type"));
    for gone in
        ["x-accel-redirect", "x-accel-expires", "x-sendfile", "alt-svc", "keep-alive", "connection", "x-hop"]
    {
        assert!(!names.contains(&gone), "{gone}");
    }
    assert!(out.contains(&("x-accel-buffering".into(), "no".into())));
}

#[test]
fn an_app_cannot_clear_the_cookies_of_the_portal() {
    for (sent, kept) in [
        ("\"cookies\"", None),
        ("\"Cookies\" ,\"cache\"", Some("\"cache\"")),
        ("\"cache\", \"storage\"", Some("\"cache\", \"storage\"")),
        ("\"*\"", Some("\"cache\", \"storage\", \"executionContexts\"")),
    ] {
        assert_eq!(value(("Clear-Site-Data", sent), &facts()).as_deref(), kept, "{sent}");
    }
}

#[test]
fn a_response_for_one_user_is_private() {
    for (sent, kept) in [
        ("public, max-age=60", "private, max-age=60"),
        ("max-age=60, s-maxage=600", "private, max-age=60"),
        ("no-cache", "private, no-cache"),
        ("private=\"a, b\", max-age=1", "private, max-age=1"),
        ("no-store", "no-store"),
        ("public, no-store", "public, no-store"),
        ("", "private"),
    ] {
        assert_eq!(value(("Cache-Control", sent), &facts()).as_deref(), Some(kept), "{sent}");
    }
    assert!(passed_back(&facts(), &[]).contains(&("cache-control".into(), "private".into())));
    for cache in ["Surrogate-Control", "CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Edge-Control"] {
        assert_eq!(value((cache, "max-age=9"), &facts()), None, "{cache}");
    }
    let visitor = ResponseFacts { is_private: false, ..facts() };
    assert_eq!(value(("Cache-Control", "public"), &visitor).as_deref(), Some("public"));
    assert_eq!(value(("Surrogate-Control", "max-age=9"), &visitor).as_deref(), Some("max-age=9"));
}

#[test]
fn only_a_location_at_the_upstreams_own_origin_changes() {
    for (sent, kept) in [
        ("http://10.0.0.7:3000/a?b#c", "https://wiki.example.org/a?b#c"),
        ("HTTP://10.0.0.7:3000", "https://wiki.example.org"),
        ("http://10.0.0.7:30001/a", "http://10.0.0.7:30001/a"),
        ("http://10.0.0.7:3000@evil/", "http://10.0.0.7:3000@evil/"),
        ("https://10.0.0.7:3000/", "https://10.0.0.7:3000/"),
        ("/relative", "/relative"),
        ("https://other.example.org/", "https://other.example.org/"),
    ] {
        assert_eq!(value(("Location", sent), &facts()).as_deref(), Some(kept), "{sent}");
    }
}

proptest! {
    #[test]
    fn whatever_an_upstream_sends_it_does_not_reach_beyond_its_app(
        sent in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "set-cookie", "clear-site-data", "cache-control", "connection", "alt-svc", "x-accel-redirect",
                    "transfer-encoding", "upgrade", "location", "content-type",
                ]),
                "[a-z\"*,;= -]{0,16}(latchkey-app|cookies|public|no-store)?[a-z\"*,;= -]{0,16}",
            ),
            0..10,
        ),
    ) {
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let out = passed_back(&facts(), &sent);
        let mut cache = String::new();
        for (name, value) in &out {
            prop_assert!(!is_hop_by_hop(name) && name != "alt-svc" && name != "x-accel-redirect", "{}", name);
            match name.as_str() {
                "set-cookie" => prop_assert!(!our_cookies::sets_ours(&HeaderValue::from_str(value).expect("a value"))),
                "clear-site-data" => prop_assert!(
                    !value.split(',').any(|kind| matches!(kind.trim().trim_matches('"'), "cookies" | "*")),
                    "{}", value
                ),
                "cache-control" => cache.push_str(value),
                _ => {}
            }
        }
        prop_assert!(cache.contains("private") || cache.contains("no-store"), "{}", cache);
    }
}
