//! The decision about a request, case by case. tests/it/apps/contract.rs compares it with a second model.

use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::apps::{AccessList, AmbiguousPath, AppOrigin, RequestHeaders, RulePath, RuleScope, Slug};
use crate::identity::{EnrolledFactors, GroupName, Role, UserId};

const NOW: Moment = Moment(1_000_000_000_000);

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn below(path: &str, access: Access) -> Rule {
    let when = RuleScope { path: PathMatch::Below(RulePath::parse(path).unwrap()), ..RuleScope::default() };
    Rule { when, ..Rule::everywhere(access) }
}

fn groups(names: &[&str]) -> Access {
    let groups = names.iter().map(|name| group(name)).collect();
    Access::Listed(AccessList { groups, ..AccessList::default() })
}

fn app(rules: Vec<Rule>) -> App {
    let origins = vec![AppOrigin::parse("https://wiki.example.org").unwrap()];
    App {
        rules,
        also_from: vec![AppOrigin::parse("https://shop.example.org").unwrap()],
        ..App::new(Slug::parse("wiki").unwrap(), None, origins)
    }
}

#[derive(Debug)]
struct Ada {
    kind: CallerKind,
    groups: Vec<GroupName>,
    method: LoginMethod,
    proved: Duration,
    enrolled: EnrolledFactors,
    role: Role,
}

impl Default for Ada {
    fn default() -> Self {
        Self {
            kind: CallerKind::Session,
            groups: vec![group("staff")],
            method: LoginMethod::Password,
            proved: Duration::ZERO,
            enrolled: EnrolledFactors::default(),
            role: Role::Member,
        }
    }
}

const ADA: UserId = UserId(Uuid::from_u128(1));

impl Ada {
    fn caller(&self) -> Caller<'_> {
        Caller {
            kind: self.kind,
            user: ADA,
            email: "ada@example.org",
            name: "Ada",
            role: self.role,
            groups: &self.groups,
            method: Some(self.method),
            proved_at: Moment(NOW.0 - i64::try_from(self.proved.as_micros()).unwrap()),
            enrolled: self.enrolled,
        }
    }

    fn opens(&self, app: &App, path: &str) -> Answer {
        decide(app, &AccessRequest::navigation(path, None), Some(&self.caller()), NOW).0
    }
}

fn visitor_opens(app: &App, path: &str) -> Answer {
    decide(app, &AccessRequest::navigation(path, None), None, NOW).0
}

const PASS: Answer = Answer::Pass { identity: true, open: false };
const OPEN: Answer = Answer::Pass { identity: false, open: true };

#[test]
fn the_first_rule_about_a_request_decides_and_nothing_falls_through() {
    let app = app(vec![below("/admin", groups(&["wiki-admins"])), Rule::everywhere(Access::SignedIn)]);
    let ada = Ada::default();
    assert_eq!(ada.opens(&app, "/"), PASS);
    assert_eq!(ada.opens(&app, "/administrator"), PASS);
    assert_eq!(ada.opens(&app, "/admin"), Answer::NotAllowed(NotAllowed::NotListed));
    assert_eq!(ada.opens(&app, "/admin/x"), Answer::NotAllowed(NotAllowed::NotListed));
    let admin = Ada { groups: vec![group("wiki-admins")], ..Ada::default() };
    assert_eq!(admin.opens(&app, "/admin/x"), PASS);
    assert_eq!(visitor_opens(&app, "/admin"), Answer::LogIn);
}

#[test]
fn without_a_rule_about_the_request_it_is_refused() {
    let ada = Ada::default();
    let none = app(Vec::new());
    let other = app(vec![below("/public", Access::Open)]);
    for app in [none, other] {
        assert_eq!(ada.opens(&app, "/"), Answer::NotAllowed(NotAllowed::NoRule));
        assert_eq!(visitor_opens(&app, "/"), Answer::NotAllowed(NotAllowed::NoRule));
    }
}

#[test]
fn no_spelling_of_a_closed_path_is_let_in_as_open() {
    let mut app = app(vec![below("/public", Access::Open), Rule::everywhere(groups(&["wiki-admins"]))]);
    assert_eq!(visitor_opens(&app, "/public"), OPEN);
    assert_eq!(visitor_opens(&app, "/public/x"), OPEN);
    for ignore_case in [false, true] {
        app.ignore_case = ignore_case;
        for path in [
            "/admin",
            "/admin?/public",
            "/admin#/public",
            "/public/..%2fadmin",
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public;/../admin",
            "/public\\..\\admin",
            "/public%2f..%2fadmin",
            "/public%00/../admin",
            "//admin",
            "/%61dmin",
            "/admin;x",
            "/Admin",
            "/%2561dmin",
            "/publicity",
            "http://public/admin",
        ] {
            let visitor = visitor_opens(&app, path);
            assert!(!visitor.passes(), "{path} passes: {visitor:?}");
            assert!(!Ada::default().opens(&app, path).passes(), "{path}");
        }
    }
    assert_eq!(visitor_opens(&app, "/PUBLIC/x"), OPEN, "upper and lower case do not matter to this app");
}

#[test]
fn an_app_without_rules_about_paths_takes_any_path() {
    let app = app(vec![Rule::everywhere(Access::SignedIn)]);
    for path in ["//x", "/a;b", "/%61", "/a%2fb", "/ä"] {
        assert_eq!(Ada::default().opens(&app, path), PASS, "{path}");
    }
    let careful = App { rules: vec![below("/", Access::SignedIn)], ..app };
    assert_eq!(Ada::default().opens(&careful, "/a;b"), Answer::PathAmbiguous(AmbiguousPath::Parameters));
}

#[test]
fn a_disabled_app_is_unknown() {
    let app = App { enabled: false, ..app(vec![Rule::everywhere(Access::Open)]) };
    assert_eq!(visitor_opens(&app, "/"), Answer::UnknownApp);
}

#[test]
fn an_open_rule_tells_the_app_who_is_logged_in() {
    let app = app(vec![Rule::everywhere(Access::Open)]);
    assert_eq!(visitor_opens(&app, "/"), OPEN);
    assert_eq!(Ada::default().opens(&app, "/"), Answer::Pass { identity: true, open: true });
}

#[test]
fn a_rule_asks_for_a_factor_and_then_for_a_fresh_proof() {
    let rule = Rule {
        factor: RequiredFactor::Two,
        fresh: Some(Duration::from_secs(600)),
        ..Rule::everywhere(Access::SignedIn)
    };
    let passkey = app(vec![Rule { factor: RequiredFactor::Passkey, ..rule.clone() }]);
    let two = app(vec![rule]);
    let with = |method, proved, totp, passkey| Ada {
        method,
        proved: Duration::from_secs(proved),
        enrolled: EnrolledFactors { totp, passkey },
        ..Ada::default()
    };
    let missing = |passkey, enrolled| Answer::SecondFactor { passkey, enrolled };
    let confirm = Answer::Confirm { within: Duration::from_secs(600) };
    for (ada, by_two, by_passkey) in [
        (with(LoginMethod::Password, 0, false, false), missing(false, false), missing(true, false)),
        (with(LoginMethod::Password, 0, true, false), missing(false, true), missing(true, false)),
        (with(LoginMethod::Password, 0, false, true), missing(false, true), missing(true, true)),
        (with(LoginMethod::PasswordAndTotp, 600, true, false), PASS, missing(true, false)),
        (with(LoginMethod::PasswordAndRecoveryCode, 601, true, false), confirm, missing(true, false)),
        (with(LoginMethod::Passkey, 601, false, true), confirm, confirm),
        (with(LoginMethod::PasswordAndPasskey, 0, false, true), PASS, PASS),
    ] {
        assert_eq!(ada.opens(&two, "/"), by_two, "{:?}", ada.method);
        assert_eq!(ada.opens(&passkey, "/"), by_passkey, "{:?}", ada.method);
    }
    let ada = Ada::default();
    let unknown = Caller { method: None, ..ada.caller() };
    let request = AccessRequest::navigation("/", None);
    assert_eq!(decide(&two, &request, Some(&unknown), NOW).0, missing(false, false));
}

#[test]
fn a_network_decides_only_if_the_address_of_the_client_is_known() {
    let inside = RuleScope { networks: vec!["10.0.0.0/8".parse().unwrap()], ..RuleScope::default() };
    let app = app(vec![
        Rule { when: inside, ..Rule::everywhere(Access::Open) },
        Rule::everywhere(groups(&["wiki-admins"])),
    ]);
    let from = |client: Option<&str>, client_is_doubtful| {
        let client = client.map(|text| text.parse::<IpAddr>().unwrap());
        let request = AccessRequest { client_is_doubtful, ..AccessRequest::navigation("/", client) };
        decide(&app, &request, None, NOW).0
    };
    assert_eq!(from(Some("10.1.2.3"), false), OPEN);
    assert_eq!(from(Some("::ffff:10.1.2.3"), false), OPEN);
    assert_eq!(from(Some("192.0.2.7"), false), Answer::LogIn);
    assert_eq!(from(Some("10.1.2.3"), true), Answer::Misconfigured(UnknownAddress::UntrustedProxy));
    assert_eq!(from(None, false), Answer::Misconfigured(UnknownAddress::Missing));
    let headers = RequestHeaders { forwarded_for: true, ..RequestHeaders::default() };
    for (hops, is_doubtful) in [(0, true), (1, false)] {
        let request = AccessRequest::new("GET", "/", &headers, false, None, hops);
        assert_eq!(request.client_is_doubtful, is_doubtful);
    }
}

#[test]
fn another_site_can_neither_change_anything_nor_open_a_websocket() {
    let app = app(vec![Rule::everywhere(Access::SignedIn)]);
    let ada = Ada::default();
    let (own, friend, evil) =
        ("https://wiki.example.org", "https://shop.example.org", "https://evil.example");
    let sent = |method: &str, kind, origin, fetch_site| {
        let request =
            AccessRequest { method, kind, origin, fetch_site, ..AccessRequest::navigation("/", None) };
        decide(&app, &request, Some(&ada.caller()), NOW).0
    };
    for (method, kind) in [
        ("POST", RequestKind::Form),
        ("POST", RequestKind::Script),
        ("DELETE", RequestKind::Script),
        ("QUERY", RequestKind::Script),
        ("GET", RequestKind::Websocket),
    ] {
        for (origin, site, answer) in [
            (Some(own), None, PASS),
            (Some(friend), Some("cross-site"), PASS),
            (Some(evil), None, Answer::CrossSite),
            (Some(evil), Some("same-origin"), Answer::CrossSite),
            (Some("http://wiki.example.org"), None, Answer::CrossSite),
            (Some("https://wiki.example.org:8443"), None, Answer::CrossSite),
            (Some("null"), Some("same-origin"), PASS),
            (Some("null"), Some("cross-site"), Answer::CrossSite),
            (Some("null"), None, Answer::CrossSite),
            (Some(""), None, Answer::CrossSite),
            (None, Some("cross-site"), Answer::CrossSite),
            (None, Some("same-site"), Answer::CrossSite),
            (None, Some("same-origin"), PASS),
            (None, Some("none"), PASS),
            (None, None, PASS),
        ] {
            assert_eq!(sent(method, kind, origin, site), answer, "{method} {kind:?} {origin:?} {site:?}");
        }
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(sent(method, RequestKind::Script, Some(evil), Some("cross-site")), PASS);
    }
}

#[test]
fn a_preflight_passes_for_other_sites_of_the_app_alone_and_never_carries_an_identity() {
    let app = app(vec![Rule::everywhere(groups(&["wiki-admins"]))]);
    let asked = |origin| {
        let headers =
            RequestHeaders { origin: Some(origin), requested_method: true, ..RequestHeaders::default() };
        let request = AccessRequest::new("OPTIONS", "/", &headers, false, None, 0);
        assert_eq!(request.kind, RequestKind::Preflight);
        decide(&app, &request, None, NOW).0
    };
    assert_eq!(asked("https://shop.example.org"), Answer::Pass { identity: false, open: false });
    // Browsers send none for the app's own origin; a client could bypass the rules with it.
    for other in ["https://wiki.example.org", "https://evil.example", "null", ""] {
        assert_eq!(asked(other), Answer::PreflightRefused, "{other}");
    }
}

#[test]
fn the_kind_of_a_request_is_read_from_what_browsers_send() {
    let kind = |method: &str, pairs: &[(&str, &'static str)], has_body| {
        RequestKind::of(method, &RequestHeaders::read(pairs.iter().copied()), has_body)
    };
    let navigate = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    let html = ("accept", "text/html,application/xhtml+xml");
    let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let asks = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
    for (method, pairs, has_body, expected) in [
        ("GET", vec![navigate, document], false, RequestKind::Navigation),
        ("HEAD", vec![navigate, document], false, RequestKind::Navigation),
        ("GET", vec![html], false, RequestKind::Navigation),
        ("GET", vec![html, ("x-requested-with", "XMLHttpRequest")], false, RequestKind::Script),
        ("GET", vec![html, ("sec-fetch-mode", "cors")], false, RequestKind::Script),
        ("GET", vec![html, ("sec-fetch-site", "same-origin")], false, RequestKind::Script),
        ("GET", vec![("accept", "*/*")], false, RequestKind::Script),
        ("GET", vec![], false, RequestKind::Script),
        ("GET", vec![navigate, ("sec-fetch-dest", "iframe")], false, RequestKind::Frame),
        ("GET", vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], false, RequestKind::Script),
        ("GET", vec![("upgrade", "WebSocket"), html], false, RequestKind::Websocket),
        ("POST", vec![navigate, document], true, RequestKind::Form),
        ("POST", vec![html, form], true, RequestKind::Form),
        ("POST", vec![html, ("content-type", "application/json")], true, RequestKind::Script),
        ("PUT", vec![html, form], true, RequestKind::Script),
        ("OPTIONS", asks.to_vec(), false, RequestKind::Preflight),
        ("OPTIONS", asks.to_vec(), true, RequestKind::Script),
        ("OPTIONS", vec![asks[0]], false, RequestKind::Script),
        ("GET", asks.to_vec(), false, RequestKind::Script),
    ] {
        assert_eq!(kind(method, &pairs, has_body), expected, "{method} {pairs:?}");
    }
}

#[test]
fn of_headers_that_browsers_send_once_two_count_as_an_empty_one() {
    for name in ["origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"] {
        let twice = RequestHeaders::read([(name, "a"), (name, "b")].into_iter());
        let values = [twice.origin, twice.fetch_site, twice.fetch_mode, twice.fetch_dest];
        assert_eq!(values.into_iter().flatten().collect::<Vec<_>>(), [""], "{name}");
    }
    let twice = RequestHeaders::read([("accept", "text/html"), ("accept", "*/*")].into_iter());
    assert_eq!(twice.accept, Some("text/html"));
}

#[test]
fn the_trace_names_the_rule_that_decided_and_those_before_it() {
    let methods = vec!["POST".to_owned()];
    let app = app(vec![
        Rule { when: RuleScope { methods, ..RuleScope::default() }, ..Rule::everywhere(Access::Open) },
        below("/admin", Access::Open),
        Rule::everywhere(Access::SignedIn),
        Rule::everywhere(Access::Open),
    ]);
    let mut skipped = Vec::new();
    let request = AccessRequest::navigation("/x", None);
    let (answer, trace) = decide_with_trace(&app, &request, None, NOW, |at, why| skipped.push((at, why)));
    assert_eq!((answer, trace), (Answer::LogIn, Trace { rule: Some(2), answer }));
    assert_eq!(skipped, [(0, RuleMismatch::Method), (1, RuleMismatch::Path)]);
}

#[test]
fn a_token_is_accepted_only_if_the_rule_says_so_and_requires_no_proof() {
    let by = |rule: Rule, kind, groups: &[&str]| {
        let ada = Ada {
            kind,
            groups: groups.iter().map(|name| group(name)).collect(),
            method: LoginMethod::Passkey,
            ..Ada::default()
        };
        ada.opens(&app(vec![rule]), "/")
    };
    let rule = Rule { tokens: true, ..Rule::everywhere(groups(&["staff"])) };
    for (rule, by_session, by_token) in [
        (rule.clone(), PASS, PASS),
        (Rule { tokens: false, ..rule.clone() }, PASS, Answer::LogIn),
        (Rule { factor: RequiredFactor::Two, ..rule.clone() }, PASS, Answer::LogIn),
        (Rule { factor: RequiredFactor::Passkey, ..rule.clone() }, PASS, Answer::LogIn),
        (Rule { fresh: Some(Duration::from_secs(600)), ..rule.clone() }, PASS, Answer::LogIn),
        (Rule::everywhere(Access::Open), Answer::Pass { identity: true, open: true }, OPEN),
    ] {
        assert_eq!(by(rule.clone(), CallerKind::Session, &["staff"]), by_session, "{rule:?}");
        assert_eq!(by(rule.clone(), CallerKind::Token, &["staff"]), by_token, "{rule:?}");
    }
    assert_eq!(by(rule, CallerKind::Token, &["guests"]), Answer::NotAllowed(NotAllowed::NotListed));
}
