//! The rules for requests, by example and for any request.

use actix_web::http::header::{HeaderMap, HeaderName as SentName, HeaderValue as SentValue};
use proptest::prelude::*;

use super::*;
use crate::apps::{AppOrigin, IdentityHeaderName, Slug};

fn app() -> App {
    let upstream = Upstream::parse("http://10.0.0.7:3000", None).expect("an upstream");
    let origin = AppOrigin::parse("https://wiki.example.org").expect("an origin");
    App::new(Slug::parse("wiki").expect("a slug"), Some(upstream), vec![origin])
}

const ADA: Identity<'static> =
    Identity { id: "7", email: "ada@example.org", name: "Ada", groups: &["staff"] };

fn passed_on(app: &App, sent: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        let name = SentName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, SentValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    let facts = RequestFacts {
        app,
        upstream: app.upstream.as_ref().expect("an upstream"),
        identity: Some(&ADA),
        client: Some([192, 0, 2, 7].into()),
        origin: &app.origins[0],
        body: BodyLength::None { said: false },
    };
    let mut out = OutgoingHead::new("GET", "/");
    write(&headers, &facts, &mut out).expect("valid headers");
    out.headers().collect()
}

fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn the_question_of_the_doctor_is_not_for_apps() {
    let out = passed_on(&app(), &[("Host", "wiki.example.org"), ("X-Latchkey-Doctor", "1.once..signature")]);
    assert!(!out.iter().any(|(name, _)| name.contains("latchkey")), "{out:?}");
}

#[test]
fn an_app_sees_our_identity_and_no_other() {
    let out = passed_on(
        &app(),
        &[
            ("Host", "wiki.example.org"),
            ("Remote-Groups", "admins"),
            ("remote-user", "root"),
            ("Remote-User", "root"),
            ("Remote_User", "root"),
            ("Remote.User", "root"),
            ("REMOTE_USER", "root"),
            ("Remote!User", "root"),
            ("Remote~User", "root"),
            ("Remote+User", "root"),
            ("Remote-Role", "root"),
            ("X-WebAuth-Role", "root"),
            ("X-Auth-Request-Groups", "root"),
            ("SSL-Client-Verify", "root"),
            ("X-Forwarded-User", "root"),
            ("Connection", "Remote-User, keep-alive"),
        ],
    );
    assert_eq!(values(&out, "remote-user"), ["7"]);
    assert_eq!(values(&out, "remote-groups"), ["staff"]);
    assert!(!out.iter().any(|(_, value)| value.contains("root") || value.contains("admins")), "{out:?}");
}

#[test]
fn renamed_identity_headers_are_removed_and_set_as_well() {
    let mut app = app();
    app.header_names.user = IdentityHeaderName::parse("X-WebAuth-User").expect("a name");
    let sent = [("Host", "wiki.example.org"), ("x-webauth-user", "root"), ("Remote-User", "root")];
    let out = passed_on(&app, &sent);
    assert_eq!(values(&out, "x-webauth-user"), ["7"]);
    app.header_names.user = IdentityHeaderName::parse("X-Corp-User").expect("a name");
    let out = passed_on(&app, &[("X-Corp-Role", "root"), ("X-Corporation", "a"), ("X-Requested-With", "b")]);
    assert!(values(&out, "x-corp-role").is_empty());
    assert_eq!((values(&out, "x-corporation"), values(&out, "x-requested-with")), (vec!["a"], vec!["b"]));
    assert!(values(&out, "remote-user").is_empty());
}

#[test]
fn only_we_say_where_a_request_came_from() {
    let out = passed_on(
        &app(),
        &[
            ("Host", "wiki.example.org"),
            ("Forwarded", "for=6.6.6.6"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-Host", "evil"),
            ("X-Forwarded-Uri", "/public"),
            ("X-Real-IP", "6.6.6.6"),
            ("X-Original-URL", "/public"),
            ("X-Rewrite-URL", "/public"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("Proxy", "evil"),
        ],
    );
    assert_eq!(values(&out, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(values(&out, "x-forwarded-host"), ["wiki.example.org"]);
    assert_eq!(values(&out, "x-forwarded-proto"), ["https"]);
    for (name, value) in &out {
        assert!(!["6.6.6.6", "evil", "/public", "DELETE"].iter().any(|sent| value.contains(sent)), "{name}");
    }
}

#[test]
fn what_belongs_to_the_app_arrives_as_it_was_sent() {
    let out = passed_on(
        &app(),
        &[
            ("Host", "wiki.example.org"),
            ("Authorization", "Basic YTpi"),
            ("Origin", "https://wiki.example.org"),
            ("Cookie", "a=b; __Host-latchkey-app=secret"),
            ("Cookie", "latchkey-state=secret; c=d"),
            ("Accept", "text/html"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("Range", "bytes=0-1"),
        ],
    );
    assert_eq!(values(&out, "authorization"), ["Basic YTpi"]);
    assert_eq!(values(&out, "origin"), ["https://wiki.example.org"]);
    assert_eq!(values(&out, "cookie"), ["a=b; c=d"]);
    assert_eq!(values(&out, "x-a"), ["1", "2"]);
    assert_eq!(values(&out, "range"), ["bytes=0-1"]);
    assert_eq!(values(&out, "host"), ["wiki.example.org"]);
}

#[test]
fn connection_removes_what_it_names_except_what_frames_and_routes() {
    let out = passed_on(
        &app(),
        &[
            ("Host", "wiki.example.org"),
            ("Connection", "X-Secret, Host, Cookie, Content-Length, close"),
            ("X-Secret", "1"),
            ("TE", "trailers"),
            ("Keep-Alive", "5"),
            ("Proxy-Authorization", "x"),
            ("Cookie", "a=b"),
        ],
    );
    for gone in ["x-secret", "te", "keep-alive", "proxy-authorization", "connection"] {
        assert!(values(&out, gone).is_empty(), "{gone}");
    }
    assert_eq!(values(&out, "host"), ["wiki.example.org"]);
    assert_eq!(values(&out, "cookie"), ["a=b"]);
}

#[test]
fn the_host_is_the_registered_one() {
    let out = passed_on(&app(), &[("Host", "WIKI.example.org:1337")]);
    assert_eq!(values(&out, "host"), ["wiki.example.org"]);
    assert_eq!(values(&out, "x-forwarded-host"), ["wiki.example.org"]);
}

#[test]
fn the_upstream_can_have_its_own_host() {
    let mut app = app();
    app.upstream_host = UpstreamHost::Upstream;
    let out = passed_on(&app, &[("Host", "wiki.example.org")]);
    assert_eq!(values(&out, "host"), ["10.0.0.7:3000"]);
    assert_eq!(values(&out, "x-forwarded-host"), ["wiki.example.org"]);
}

/// Names that matter, with their separators in any spelling, and any others.
fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "remote-user",
        "remote-groups",
        "x-forwarded-for",
        "x-original-url",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "host",
        "cookie",
        "x-a",
    ]);
    let spelled = (known, "[-_.!~+]", any::<bool>()).prop_map(|(name, separator, upper)| {
        let name = name.replace('-', &separator);
        if upper { name.to_uppercase() } else { name }
    });
    prop_oneof![4 => spelled, 1 => "[A-Za-z][A-Za-z0-9_.-]{0,12}"]
}

proptest! {
    #[test]
    fn no_client_moves_identity_framing_or_origin(
        sent in prop::collection::vec((name(), "[ -~]{0,20}"), 0..12),
        listed in prop::collection::vec(name(), 0..4),
    ) {
        let listed = listed.join(", ");
        let mut sent: Vec<(&str, &str)> = sent
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
            .collect();
        sent.push(("Host", "wiki.example.org"));
        sent.push(("Connection", &listed));
        let out = passed_on(&app(), &sent);
        for (name, value) in [
            ("remote-user", "7"),
            ("remote-email", "ada@example.org"),
            ("remote-name", "Ada"),
            ("remote-groups", "staff"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "wiki.example.org"),
            ("host", "wiki.example.org"),
        ] {
            prop_assert_eq!(values(&out, name), vec![value], "{}", name);
        }
        for (name, _) in &out {
            prop_assert!(!name.contains(['_', '.', '!', '~', '+']), "{}", name);
            prop_assert!(!is_hop_by_hop(name), "{}", name);
            prop_assert!(name != "content-length", "a request without a body has no length");
        }
    }
}
