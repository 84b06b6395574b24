//! Where an instance finds the apps that it decides by: in memory under the lease, otherwise in the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use latchkey::accounts::Accounts;
use latchkey::apps::{
    Access, AccessRequest, Answer, App, AppOrigin, PathMatch, Rule, RulePath, RuleScope, Slug, Snapshot,
    decide,
};
use latchkey::db::time::Moment;
use latchkey::identity::Client;

use super::support::{add, app};
use crate::support::app::TestApp;
use crate::support::process::eventually;

async fn until_leased(app: &TestApp) {
    eventually("a lease", async || app.accounts.sessions().has_lease().then_some(())).await;
}

#[actix_web::test]
async fn a_change_is_answered_when_no_instance_decides_by_the_old_state() {
    let here = TestApp::spawn();
    let there = here.beside(|_| {});
    let mut wiki = app("wiki");
    add(&here.accounts, &wiki).await;
    for round in 0..10 {
        let seen = there.accounts.apps.snapshot().await.unwrap();
        assert_eq!(seen.by_slug("wiki").map(|app| app.name.clone()), Some(wiki.name.clone()));
        let after = App { name: format!("Wiki {round}"), ..wiki.clone() };
        here.accounts.apps.change(None, wiki, after.clone(), Client::operator()).await.unwrap();
        wiki = after;
    }
    let seen = there.accounts.apps.snapshot().await.unwrap();
    assert!(seen.by_host("wiki.example.org").is_some());
    here.accounts.apps.remove(None, wiki.id, Client::operator()).await.unwrap();
    assert!(there.accounts.apps.snapshot().await.unwrap().is_empty());
}

#[actix_web::test]
async fn under_the_lease_the_apps_are_read_once_until_one_changes() {
    let app_server = TestApp::spawn();
    let apps = &app_server.accounts.apps;
    until_leased(&app_server).await;
    add(&app_server.accounts, &app("wiki")).await;
    let first = apps.snapshot().await.unwrap();
    assert!(Arc::ptr_eq(&first, &apps.snapshot().await.unwrap()));
    // However it is changed.
    app_server.db.execute("UPDATE app_rules SET note = 'by hand'");
    eventually("the new rule", async || {
        let now = apps.snapshot().await.unwrap();
        (now.by_slug("wiki").unwrap().rules[0].note == "by hand").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn without_a_lease_every_request_sees_the_database_and_without_both_there_is_no_answer() {
    let server = TestApp::spawn();
    add(&server.accounts, &app("wiki")).await;
    // Like a command, which does not listen.
    let alone = Accounts::new(
        server.accounts.db().clone(),
        server.accounts.mailer().clone(),
        &settings(),
        latchkey::web::copy::mails::write,
    )
    .unwrap();
    let first = alone.apps.snapshot().await.unwrap();
    assert!(!Arc::ptr_eq(&first, &alone.apps.snapshot().await.unwrap()));
    server.db.execute("UPDATE apps SET name = 'by hand'");
    assert_eq!(alone.apps.snapshot().await.unwrap().by_slug("wiki").unwrap().name, "by hand");

    let shut = Accounts::new(
        latchkey::db::Db::shut(settings().pool),
        server.accounts.mailer().clone(),
        &settings(),
        latchkey::web::copy::mails::write,
    )
    .unwrap();
    assert!(shut.apps.snapshot().await.is_err());
}

fn settings() -> latchkey::config::Settings {
    let variables = [
        ("DATABASE_URL", "postgres://nowhere"),
        ("LATCHKEY__SECRET", "only-for-tests-0123456789-abcdefghijkl"),
        ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
        ("LATCHKEY__HASHING__MEMORY_KIB", "64"),
        ("LATCHKEY__HASHING__ITERATIONS", "1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    latchkey::config::Settings::from_environment(variables.into()).unwrap()
}

#[actix_web::test]
async fn many_requests_at_once_read_the_apps_once_or_twice() {
    let server = TestApp::spawn();
    add(&server.accounts, &app("wiki")).await;
    let all = join_all((0..50).map(|_| server.accounts.apps.snapshot())).await;
    let mut read: Vec<*const Snapshot> = all.iter().map(|one| Arc::as_ptr(one.as_ref().unwrap())).collect();
    read.sort_unstable();
    read.dedup();
    assert!(read.len() <= 2, "{}", read.len());
}

#[test]
fn an_app_is_found_by_its_host_in_any_case_and_at_any_port() {
    let wiki = AppOrigin::parse("https://wiki.example.org:8443").unwrap();
    let snapshot = Snapshot::new([App { origins: vec![wiki.clone()], ..app("wiki") }]);
    for host in ["wiki.example.org", "WIKI.example.org", "wiki.example.org:8443", "wiki.example.org:1"] {
        let found = snapshot.by_host(host).unwrap_or_else(|| panic!("{host}"));
        assert_eq!(found.origin_at(host), Some(&wiki));
    }
    for host in ["example.org", "wiki.example.org.", "xwiki.example.org", "wiki.example.org:x", "", ":443"] {
        assert!(snapshot.by_host(host).is_none(), "{host}");
    }
}

/// The best of many short runs: what it costs when nothing else runs.
fn cost(snapshot: &Snapshot, host: &str) -> Duration {
    let request = AccessRequest::navigation("/page", None);
    let run = || {
        let begun = Instant::now();
        for _ in 0..200 {
            let app = snapshot.by_host(host).unwrap();
            let (answer, _) = decide(app, &request, None, Moment(0));
            assert_eq!(answer, Answer::LogIn);
        }
        begun.elapsed() / 200
    };
    (0..50).map(|_| run()).min().unwrap()
}

#[test]
fn a_decision_among_a_thousand_apps_costs_as_much_as_with_one() {
    let many = |apps: usize, rules: usize| {
        let rule = |at: usize| {
            let path = PathMatch::Below(RulePath::parse(&format!("/other/{at}")).unwrap());
            Rule { when: RuleScope { path, ..RuleScope::default() }, ..Rule::everywhere(Access::Open) }
        };
        let rules: Vec<Rule> = (1..rules).map(rule).chain([Rule::everywhere(Access::SignedIn)]).collect();
        Snapshot::new((0..apps).map(|number| {
            let slug = format!("app{number}");
            let origins = vec![AppOrigin::parse(&format!("https://{slug}.example.org")).unwrap()];
            App { rules: rules.clone(), ..App::new(Slug::parse(&slug).unwrap(), None, origins) }
        }))
    };
    let (one, thousand) = (many(1, 20), many(1000, 20));
    let (alone, among) = (cost(&one, "app0.example.org"), cost(&thousand, "app777.example.org"));
    assert!(among < alone * 2, "{alone:?} alone, {among:?} among a thousand");
    // This build is not optimized, and the cost is still small compared with a request.
    assert!(among < Duration::from_micros(30), "{among:?}");
}
