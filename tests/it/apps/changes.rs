//! Adding, changing and removing apps.

use futures_util::future::join;
use latchkey::apps::{
    Access, AccessList, App, AppMode, AppOrigin, AppRefusal, AppSource, AppWarning, IdentityHeaderName,
    RequiredFactor, Rule, RuleRefusal, Slug, Upstream,
};
use latchkey::config::{RegistrationMode, UpstreamsFrom};
use latchkey::identity::{Client, UserId};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::support::{add, add_group, app, detail, for_group, group, refusal_of, refused};
use crate::support::app::TestApp;

#[actix_web::test]
async fn an_app_is_added_changed_and_removed_and_each_is_an_event_with_what_changed() {
    let server = TestApp::spawn();
    let grace = server.grace().await;
    let apps = &server.accounts.apps;
    let wiki = app("wiki");
    add(&server.accounts, &wiki).await;
    assert_eq!(apps.find("wiki").await.unwrap(), Some(wiki.clone()));
    let event = detail(&server, "app.added");
    assert_eq!(event["app"], "wiki");
    let fields = event["changes"].as_array().unwrap();
    assert!(fields.contains(&json!({ "field": "upstream", "from": null, "to": "http://wiki:3000" })));

    let mut after =
        App { name: "The wiki".into(), rules: vec![Rule::everywhere(Access::Open)], ..wiki.clone() };
    after.limits.max_body = Some(1000);
    apps.change(Some(UserId(grace.id)), wiki, after.clone(), Client::operator()).await.unwrap();
    assert_eq!(apps.find("wiki").await.unwrap(), Some(after.clone()));
    assert_eq!(
        detail(&server, "app.changed"),
        json!({ "app": "wiki", "changes": [
            { "field": "max_body", "from": null, "to": 1000 },
            { "field": "name", "from": null, "to": "The wiki" },
            { "field": "rules", "from": [{ "all": true, "access": "signed-in" }], "to": [{ "all": true, "access": "open" }] },
        ] })
    );
    let actor: String = server.db.scalar("SELECT actor::text FROM audit_events WHERE act = 'app.changed'");
    assert_eq!(actor, grace.id.to_string());

    // Without a difference there is no event.
    apps.change(None, after.clone(), after.clone(), Client::operator()).await.unwrap();
    assert_eq!(server.events("app.changed"), 1);

    apps.remove(None, after.id, Client::operator()).await.unwrap();
    assert_eq!(apps.list().await.unwrap(), []);
    assert_eq!(detail(&server, "app.removed")["app"], "wiki");
    assert_eq!(refused(apps.remove(None, after.id, Client::operator()).await), AppRefusal::NoSuchApp);
    for table in ["app_origins", "app_rules"] {
        assert_eq!(server.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), 0);
    }
}

#[actix_web::test]
async fn a_change_of_what_someone_else_changed_meanwhile_is_refused() {
    let server = TestApp::spawn();
    let wiki = app("wiki");
    add(&server.accounts, &wiki).await;
    let mine = App { name: "Mine".into(), ..wiki.clone() };
    let theirs = App { name: "Theirs".into(), ..wiki.clone() };
    server.accounts.apps.change(None, wiki.clone(), theirs, Client::operator()).await.unwrap();
    assert_eq!(refusal_of(&server.accounts, &wiki, mine).await, AppRefusal::Changed);
    let gone = app("gone");
    assert_eq!(refusal_of(&server.accounts, &gone, gone.clone()).await, AppRefusal::NoSuchApp);
}

#[actix_web::test]
async fn what_must_not_be_stored_is_refused_with_the_reason() {
    let server = TestApp::spawn();
    let wiki = app("wiki");
    add(&server.accounts, &wiki).await;
    add(&server.accounts, &app("shop")).await;
    let origin = |text: &str| AppOrigin::parse(text).unwrap();
    let upstream = |text: &str| Some(Upstream::parse(text, None).unwrap());
    let portal = server.origin.replace("http://localhost", "https://localhost");
    let with_rule = |rule: Rule| App { rules: vec![rule], ..wiki.clone() };
    let everywhere = || Rule::everywhere(Access::SignedIn);
    let mut twice = wiki.header_names.clone();
    twice.email = IdentityHeaderName::parse("remote-user").unwrap();
    let mut slow = wiki.limits;
    slow.connect = std::time::Duration::ZERO;
    let listed = |users: Vec<UserId>| Access::Listed(AccessList { users, ..AccessList::default() });
    let nobody = UserId(Uuid::new_v4());
    for (after, why) in [
        (App { slug: Slug::parse("shop").unwrap(), ..wiki.clone() }, AppRefusal::SlugTaken),
        (App { origins: Vec::new(), ..wiki.clone() }, AppRefusal::NoOrigin),
        (
            App { origins: vec![origin("https://shop.example.org:8443")], ..wiki.clone() },
            AppRefusal::OriginTaken(origin("https://shop.example.org:8443")),
        ),
        (App { origins: vec![origin(&portal)], ..wiki.clone() }, AppRefusal::PortalOrigin(origin(&portal))),
        (
            App {
                origins: vec![wiki.origins[0].clone(), origin("https://wiki.example.org:1")],
                ..wiki.clone()
            },
            AppRefusal::SameHost(origin("https://wiki.example.org:1")),
        ),
        (App { upstream: None, ..wiki.clone() }, AppRefusal::NoUpstream),
        (App { upstream: upstream(&server.origin), ..wiki.clone() }, AppRefusal::UpstreamIsOurs),
        (App { upstream: upstream("https://shop.example.org"), ..wiki.clone() }, AppRefusal::UpstreamIsOurs),
        (App { upstream: upstream("https://wiki.example.org"), ..wiki.clone() }, AppRefusal::UpstreamIsOurs),
        (App { header_names: twice, ..wiki.clone() }, AppRefusal::DuplicateHeader),
        (App { app_cookies: vec!["a=b".into()], ..wiki.clone() }, AppRefusal::Cookie { text: "a=b".into() }),
        (
            App { app_cookies: vec!["__Host-latchkey-app".into()], ..wiki.clone() },
            AppRefusal::Cookie { text: "__Host-latchkey-app".into() },
        ),
        (App { limits: slow, ..wiki.clone() }, AppRefusal::Limit { field: "connect" }),
        (App { close_code: 1006, ..wiki.clone() }, AppRefusal::Limit { field: "close_code" }),
        (App { rules: vec![everywhere(); 201], ..wiki.clone() }, AppRefusal::TooManyRules { max: 200 }),
        (
            with_rule(for_group("staff")),
            AppRefusal::Rule { at: 0, why: RuleRefusal::UnknownGroup(group("staff")) },
        ),
        (
            with_rule(Rule::everywhere(listed(vec![nobody]))),
            AppRefusal::Rule { at: 0, why: RuleRefusal::UnknownUser { text: nobody.to_string() } },
        ),
        (
            with_rule(Rule::everywhere(listed(Vec::new()))),
            AppRefusal::Rule { at: 0, why: RuleRefusal::NoAccess },
        ),
        (
            with_rule(Rule { factor: RequiredFactor::Two, ..Rule::everywhere(Access::Open) }),
            AppRefusal::Rule { at: 0, why: RuleRefusal::OpenWithProof },
        ),
        (
            with_rule(Rule { fresh: Some(std::time::Duration::from_secs(59)), ..everywhere() }),
            AppRefusal::Rule { at: 0, why: RuleRefusal::Fresh },
        ),
    ] {
        assert_eq!(refusal_of(&server.accounts, &wiki, after).await, why);
    }
    assert_eq!(server.accounts.apps.find("wiki").await.unwrap(), Some(wiki.clone()));
    let without = App { upstream: None, mode: AppMode::ForwardAuth, ..wiki.clone() };
    server.accounts.apps.change(None, wiki, without, Client::operator()).await.unwrap();
}

#[actix_web::test]
async fn an_origin_to_which_the_upstream_of_another_app_leads_is_refused() {
    let server = TestApp::spawn();
    let inner = Upstream::parse("https://inner.example.org", None).unwrap();
    add(&server.accounts, &App { upstream: Some(inner), ..app("wiki") }).await;
    let added = server.accounts.apps.add(None, app("inner"), Client::operator()).await;
    assert_eq!(refused(added), AppRefusal::UpstreamIsOurs);
}

#[actix_web::test]
async fn of_two_apps_added_at_once_at_one_host_one_is_refused() {
    let server = TestApp::spawn();
    let there = server.beside(|_| {});
    for round in 0..5 {
        let one = app(&format!("one{round}"));
        let other = App { origins: one.origins.clone(), ..app(&format!("other{round}")) };
        let first = server.accounts.apps.add(None, one, Client::operator());
        let second = there.accounts.apps.add(None, other, Client::operator());
        let (first, second) = join(first, second).await;
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    }
    assert_eq!(server.accounts.apps.list().await.unwrap().len(), 5);
}

#[actix_web::test]
async fn pages_set_upstreams_only_if_the_operator_says_so_and_change_no_app_of_a_file() {
    let server = TestApp::spawn();
    let grace = Some(UserId(server.grace().await.id));
    let apps = &server.accounts.apps;
    let wiki = app("wiki");
    assert_eq!(
        refused(apps.add(grace, wiki.clone(), Client::operator()).await),
        AppRefusal::UpstreamNotAllowed
    );
    add(&server.accounts, &wiki).await;
    let upstream = Some(Upstream::parse("http://other", None).unwrap());
    let moved = App { upstream, ..wiki.clone() };
    let changed = apps.change(grace, wiki.clone(), moved.clone(), Client::operator()).await;
    assert_eq!(refused(changed), AppRefusal::UpstreamNotAllowed);
    let renamed = App { name: "Renamed".into(), ..wiki.clone() };
    apps.change(grace, wiki, renamed.clone(), Client::operator()).await.unwrap();

    let open = server.beside(|settings| settings.apps.upstreams_from = UpstreamsFrom::Admin);
    let moved = App { name: "Renamed".into(), ..moved };
    open.accounts.apps.change(grace, renamed, moved.clone(), Client::operator()).await.unwrap();

    let of_file = App { source: AppSource::File, ..moved.clone() };
    apps.change(None, moved, of_file.clone(), Client::operator()).await.unwrap();
    let renamed = App { name: "Again".into(), ..of_file.clone() };
    let changed = open.accounts.apps.change(grace, of_file.clone(), renamed, Client::operator()).await;
    assert_eq!(refused(changed), AppRefusal::FromFile);
    assert_eq!(refused(apps.remove(grace, of_file.id, Client::operator()).await), AppRefusal::FromFile);
}

#[actix_web::test]
async fn a_new_app_lets_in_every_user_in_local_mode_and_no_one_elsewhere() {
    let local = TestApp::spawn();
    let deployed = local.beside(|settings| settings.database = Some(SecretString::from("elsewhere")));
    assert_eq!(local.accounts.apps.default_rules(), [Rule::everywhere(Access::SignedIn)]);
    assert_eq!(deployed.accounts.apps.default_rules(), []);
    let slug = Slug::parse("wiki").unwrap();
    let origin = local.accounts.apps.default_origin(&slug).unwrap().to_string();
    assert_eq!(origin, local.origin.replace("localhost", "wiki.localhost"));
    assert_eq!(deployed.accounts.apps.default_origin(&slug), None);
}

#[actix_web::test]
async fn an_operator_is_warned_if_anyone_may_register_and_if_no_one_is_let_in() {
    let open = TestApp::spawn();
    let invite = open.beside(|settings| settings.registration = RegistrationMode::Invite);
    let (wiki, closed) = (app("wiki"), App { rules: Vec::new(), ..app("wiki") });
    assert_eq!(open.accounts.apps.warnings(&wiki), [AppWarning::AnyoneMayRegister]);
    assert_eq!(invite.accounts.apps.warnings(&wiki), []);
    assert_eq!(open.accounts.apps.warnings(&closed), [AppWarning::NobodyAllowed]);
    let staff = App { rules: vec![for_group("staff")], ..wiki };
    assert_eq!(open.accounts.apps.warnings(&staff), []);
    add_group(&open.accounts, "staff").await;
    add(&open.accounts, &staff).await;
}

#[actix_web::test]
async fn the_database_itself_refuses_what_the_program_refuses() {
    let server = TestApp::spawn();
    add(&server.accounts, &app("wiki")).await;
    let mut conn = server.db.connect();
    for statement in [
        "UPDATE apps SET upstream = 'http://u:p@wiki'",
        "UPDATE apps SET upstream = NULL",
        "UPDATE apps SET slug = 'Wiki'",
        "UPDATE apps SET header_names = '{Remote-User}'",
        "UPDATE apps SET explain = 'all'",
        "UPDATE app_origins SET origin = 'http://wiki.example.org'",
        "UPDATE app_origins SET host = 'WIKI.example.org'",
        "INSERT INTO app_origins SELECT 'https://wiki.example.org:1', app, host, 1 FROM app_origins",
        "UPDATE app_rules SET access = 'listed'",
        "UPDATE app_rules SET groups = '{staff}'",
        "UPDATE app_rules SET access = 'open', factor = 'two'",
        "UPDATE app_rules SET path_kind = 'below'",
        "UPDATE app_rules SET networks = '{NULL}'",
        "INSERT INTO groups (name) VALUES ('Staff')",
    ] {
        let why = diesel::connection::SimpleConnection::batch_execute(&mut conn, statement).unwrap_err();
        assert!(why.to_string().contains("constraint"), "{statement}: {why}");
    }
}
