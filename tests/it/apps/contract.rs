//! The decision about a request, compared with a second model that is as simple as possible.

use std::time::Duration;

use latchkey::apps::{
    Access, AccessList, AccessRequest, Answer, App, AppOrigin, Caller, CallerKind, NotAllowed, PathMatch,
    RequestKind, RequiredFactor, Rule, RulePath, RuleScope, Slug, UnknownAddress, canonical, decide,
};
use latchkey::db::time::Moment;
use latchkey::identity::{EnrolledFactors, GroupName, LoginMethod, Role, UserId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

use super::support::group;

const NOW: Moment = Moment(1_000_000_000_000);

const PASS: Answer = Answer::Pass { identity: true, open: false };
const OPEN: Answer = Answer::Pass { identity: false, open: true };

fn app(rules: Vec<Rule>) -> App {
    let origins = vec![AppOrigin::parse("https://wiki.example.org").unwrap()];
    App {
        rules,
        also_from: vec![AppOrigin::parse("https://shop.example.org").unwrap()],
        ..App::new(Slug::parse("wiki").unwrap(), None, origins)
    }
}

/// A caller of a request.
#[derive(Debug)]
struct Ada {
    kind: CallerKind,
    groups: Vec<GroupName>,
    method: LoginMethod,
    proved: Duration,
    enrolled: EnrolledFactors,
    role: Role,
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
}

/// The same decision, written as the contract says it, without regard to cost.
fn by_the_contract(app: &App, request: &AccessRequest<'_>, caller: Option<&Caller<'_>>) -> Answer {
    if !app.enabled {
        return Answer::UnknownApp;
    }
    let about_paths = app.rules.iter().any(|rule| rule.when.path != PathMatch::All);
    let path = match canonical(request.path) {
        Err(why) if about_paths => return Answer::PathAmbiguous(why),
        path => String::from_utf8(path.unwrap_or_default().into_owned()).unwrap(),
    };
    let segments = |path: &str| -> Vec<String> {
        let path = if app.ignore_case { path.to_lowercase() } else { path.to_owned() };
        path.trim_end_matches('/').split('/').map(str::to_owned).collect()
    };
    let trusted = ["https://wiki.example.org", "https://shop.example.org"];
    let from_app = match (request.origin, request.fetch_site) {
        (Some("null"), site) => site == Some("same-origin"),
        (Some(origin), _) => trusted.contains(&origin),
        (None, site) => site != Some("cross-site") && site != Some("same-site"),
    };
    let changes = !["GET", "HEAD", "OPTIONS", "TRACE"].contains(&request.method);
    match request.kind {
        RequestKind::Preflight if request.origin == Some("https://shop.example.org") => {
            return Answer::Pass { identity: false, open: false };
        }
        RequestKind::Preflight => return Answer::PreflightRefused,
        RequestKind::Websocket if !from_app => return Answer::CrossSite,
        _ if changes && !from_app => return Answer::CrossSite,
        _ => {}
    }
    let about = |rule: &&Rule| {
        let methods = &rule.when.methods;
        let asked = if request.method == "HEAD" && methods.contains(&"GET".to_owned()) {
            "GET"
        } else {
            request.method
        };
        let own = |text: &RulePath| segments(&text.to_string());
        (methods.is_empty() || methods.contains(&asked.to_owned()))
            && match &rule.when.path {
                PathMatch::All => true,
                PathMatch::Exact(text) => segments(&path) == own(text),
                PathMatch::Below(text) => segments(&path).starts_with(&own(text)),
            }
    };
    for rule in app.rules.iter().filter(about) {
        if !rule.when.networks.is_empty() {
            match request.client {
                _ if request.client_is_doubtful => {
                    return Answer::Misconfigured(UnknownAddress::UntrustedProxy);
                }
                None => return Answer::Misconfigured(UnknownAddress::Missing),
                Some(address) if !rule.when.networks.iter().any(|own| own.contains(address)) => continue,
                Some(_) => {}
            }
        }
        return of_rule(rule, caller);
    }
    Answer::NotAllowed(NotAllowed::NoRule)
}

fn of_rule(rule: &Rule, caller: Option<&Caller<'_>>) -> Answer {
    let is_token = |caller: &&Caller<'_>| caller.kind == CallerKind::Token;
    let proves_more = rule.factor != RequiredFactor::Any || rule.fresh.is_some();
    let accepted = |caller: &&Caller<'_>| !is_token(caller) || rule.tokens && !proves_more;
    let Some(caller) = caller.filter(accepted) else {
        return if rule.access == Access::Open { OPEN } else { Answer::LogIn };
    };
    let listed = match &rule.access {
        Access::Open => return Answer::Pass { identity: true, open: true },
        Access::SignedIn => true,
        Access::Listed(list) => {
            list.users.contains(&caller.user)
                || caller.groups.iter().any(|group| list.groups.contains(group))
                || (list.role == Some(Role::Member))
                || (list.role == Some(Role::Admin) && caller.role == Role::Admin)
        }
    };
    let method = caller.method.unwrap().as_str();
    let passkey = rule.factor == RequiredFactor::Passkey;
    let has_factor = match rule.factor {
        RequiredFactor::Any => true,
        RequiredFactor::Two => method != "password",
        RequiredFactor::Passkey => method.contains("passkey"),
    };
    let age = Duration::from_micros(u64::try_from(NOW.0 - caller.proved_at.0).unwrap());
    if !listed {
        Answer::NotAllowed(NotAllowed::NotListed)
    } else if !has_factor {
        let enrolled = caller.enrolled.passkey || (caller.enrolled.totp && !passkey);
        Answer::SecondFactor { passkey, enrolled }
    } else if rule.fresh.is_some_and(|fresh| fresh < age) {
        Answer::Confirm { within: rule.fresh.unwrap() }
    } else {
        PASS
    }
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let path = |text: &str| RulePath::parse(text).unwrap();
    let paths = select(vec![
        PathMatch::All,
        PathMatch::All,
        PathMatch::Below(path("/admin")),
        PathMatch::Below(path("/")),
        PathMatch::Exact(path("/admin")),
        PathMatch::Exact(path("/public/x/")),
        PathMatch::Exact(path("/")),
        PathMatch::Below(path("/public/x")),
    ]);
    let methods = subsequence(vec!["GET".to_owned(), "POST".to_owned()], 0..=2);
    let networks = subsequence(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], 0..=1);
    let someone = |groups: &[&str], users: &[UserId], role| {
        let groups = groups.iter().map(|name| group(name)).collect();
        Access::Listed(AccessList { groups, users: users.to_vec(), role })
    };
    let access = select(vec![
        Access::Open,
        Access::SignedIn,
        someone(&["staff"], &[], None),
        someone(&["a", "b"], &[ADA], None),
        someone(&["a"], &[UserId(Uuid::from_u128(2))], None),
        someone(&[], &[], Some(Role::Admin)),
        someone(&[], &[], Some(Role::Member)),
    ]);
    let factor = select(RequiredFactor::ALL.to_vec());
    let fresh = select(vec![None, Some(Duration::from_secs(60))]);
    let rule = (paths, methods, networks, access, factor, fresh, any::<bool>()).prop_map(
        |(path, methods, networks, access, factor, fresh, tokens)| Rule {
            when: RuleScope { methods, path, networks },
            factor,
            fresh,
            // No other rule may be stored.
            tokens: tokens && access != Access::Open,
            ..Rule::everywhere(access)
        },
    );
    proptest::collection::vec(rule, 0..6)
}

fn adas() -> impl Strategy<Value = Option<Ada>> {
    let groups = subsequence(vec![group("a"), group("b"), group("staff")], 0..=3);
    let kind = select(vec![CallerKind::Session, CallerKind::Token]);
    let ada = (
        kind,
        groups,
        select(LoginMethod::ALL.to_vec()),
        select(vec![0, 60, 61]),
        any::<(bool, bool, bool)>(),
    );
    let ada = ada.prop_map(|(kind, groups, method, proved, (totp, passkey, is_admin))| Ada {
        kind,
        groups,
        method,
        proved: Duration::from_secs(proved),
        enrolled: EnrolledFactors { totp, passkey },
        role: if is_admin { Role::Admin } else { Role::Member },
    });
    proptest::option::weighted(0.8, ada)
}

fn requests() -> impl Strategy<Value = AccessRequest<'static>> {
    let paths = select(vec![
        "/",
        "/admin",
        "/admin/",
        "/admin/x",
        "/administrator",
        "/Admin",
        "/public/x",
        "/public/x/",
        "/public/x/y",
        "/ADMIN/x",
        "//admin",
        "/%61dmin",
        "/a;b",
        "*",
    ]);
    let kinds = select(vec![
        RequestKind::Navigation,
        RequestKind::Script,
        RequestKind::Form,
        RequestKind::Websocket,
        RequestKind::Preflight,
    ]);
    let origins = select(vec![
        None,
        Some("https://wiki.example.org"),
        Some("https://shop.example.org"),
        Some("https://evil.example"),
        Some("null"),
    ]);
    let sites = select(vec![None, Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none")]);
    let clients = select(vec![None, Some("10.0.0.7"), Some("192.0.2.1"), Some("::1")]);
    let methods = select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS"]);
    (methods, paths, kinds, origins, sites, clients, any::<bool>()).prop_map(
        |(method, path, kind, origin, fetch_site, client, client_is_doubtful)| AccessRequest {
            method,
            path,
            kind,
            client: client.map(|text| text.parse().unwrap()),
            client_is_doubtful,
            origin,
            fetch_site,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_decision_is_what_the_contract_says(
        rules in rules(), ada in adas(), request in requests(), enabled in proptest::bool::weighted(0.95), ignore_case in any::<bool>(),
    ) {
        let app = App { enabled, ignore_case, ..app(rules) };
        let caller = ada.as_ref().map(Ada::caller);
        let (answer, trace) = decide(&app, &request, caller.as_ref(), NOW);
        prop_assert_eq!(answer, by_the_contract(&app, &request, caller.as_ref()));
        prop_assert_eq!(trace.answer, answer);
        if let Answer::Pass { identity, .. } = answer {
            prop_assert!(caller.is_some() || !identity, "a visitor has no identity");
            let by_token = identity && caller.is_some_and(|caller| caller.kind == CallerKind::Token);
            prop_assert!(!by_token || app.rules[trace.rule.unwrap()].tokens, "the rule says tokens");
        }
    }

    #[test]
    fn a_visitor_passes_only_by_an_open_rule_or_as_a_preflight(rules in rules(), request in requests()) {
        let app = app(rules);
        let (answer, trace) = decide(&app, &request, None, NOW);
        if answer.passes() && request.kind != RequestKind::Preflight {
            prop_assert_eq!(&app.rules[trace.rule.unwrap()].access, &Access::Open);
        }
    }
}
