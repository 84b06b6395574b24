//! Apps in forward-auth mode behind real proxies, each with the configuration that Latchkey prints. `bin/front-check`
//! runs all of it with every proxy; the tests run it with nginx and HAProxy.

mod answers;
pub mod behind;
mod command;
mod entering;
mod identity;
mod load;
mod outage;
mod paths;
mod printed;
pub mod program;

use std::time::Duration;

use self::behind::Behind;
use self::program::ProxyProgram;
use crate::browser::apps::{in_and_out, through_a_second_factor, with_a_passkey};
use crate::doctor::app::guarded;
use crate::front_check::report::Row;
use crate::support::chrome::Chrome;

#[actix_web::test]
async fn nginx_lets_in_whom_latchkey_lets_in() {
    requests(ProxyProgram::Nginx).await;
}

#[actix_web::test]
async fn haproxy_lets_in_whom_latchkey_lets_in() {
    requests(ProxyProgram::Haproxy).await;
}

#[actix_web::test]
async fn users_enter_an_app_behind_nginx() {
    handoffs(ProxyProgram::Nginx).await;
}

#[actix_web::test]
async fn users_enter_an_app_behind_haproxy() {
    handoffs(ProxyProgram::Haproxy).await;
}

#[actix_web::test]
async fn a_browser_enters_an_app_behind_nginx() {
    browsers(ProxyProgram::Nginx).await;
}

#[actix_web::test]
async fn a_browser_enters_an_app_behind_haproxy() {
    browsers(ProxyProgram::Haproxy).await;
}

#[actix_web::test]
async fn nginx_lets_in_no_one_without_latchkey() {
    under_load(ProxyProgram::Nginx, Duration::from_secs(2)).await;
}

#[actix_web::test]
async fn haproxy_lets_in_no_one_without_latchkey() {
    under_load(ProxyProgram::Haproxy, Duration::from_secs(2)).await;
}

/// All of it, for `bin/front-check`.
pub async fn every_check(program: ProxyProgram) -> Vec<Row> {
    printed::accepts_every_kind_of_app(program);
    requests(program).await;
    handoffs(program).await;
    browsers(program).await;
    let requests = under_load(program, Duration::from_secs(30)).await;
    guarded::the_printed_configuration_is_healthy(program).await;
    guarded::mistakes_are_found(program).await;
    vec![
        Row::went(
            "answers, forged identity in 12 spellings, addresses, cookies, tokens, names, other sites, paths",
        ),
        Row::went("five tabs, ten requests at once after the session has ended, the address with TLS"),
        Row::went("Chromium enters with a password, a code, a confirmation and a passkey"),
        Row::new(
            "64 connections on one session for 30 s",
            format!("{requests} let in"),
            "all, no database write",
            true,
        ),
        Row::went("Latchkey stopped: nothing reaches an app"),
        Row::went("the doctor finds nothing wrong, and each of the usual mistakes"),
    ]
}

async fn requests(program: ProxyProgram) {
    let behind = Behind::start(program).await;
    answers::visitors(&behind);
    paths::open_paths(&behind);
    paths::absolute_targets(&behind);
    let mut user = behind.inside(&behind.wiki).await;
    let board = behind.inside(&behind.board).await;
    identity::forged(&behind, &user, &board).await;
    identity::addresses(&behind, &user);
    identity::cookies(&behind, &user);
    identity::authorization(&behind, &user).await;
    answers::other_sites(&behind, &user).await;
    answers::other_upgrades(&behind, &user).await;
    identity::names(&behind).await;
    identity::many_groups(&behind).await;
    answers::users(&behind, &mut user).await;
}

async fn handoffs(program: ProxyProgram) {
    let behind = Behind::start(program).await;
    entering::with_tls(&behind).await;
    entering::five_tabs(&behind).await;
    let mut user = behind.inside(&behind.wiki).await;
    entering::ten_requests(&behind, &mut user).await;
}

async fn browsers(program: ProxyProgram) {
    let behind = Behind::start(program).await;
    let chrome = Chrome::open(&behind.app.origin).await;
    in_and_out(&behind.app, &behind.wiki, &behind.ada, &chrome).await;
    drop(chrome);
    for seen in behind.wiki.upstream.received() {
        let cookies = seen.values("cookie").concat();
        // No proxy lets the portal's cookie through.
        assert!(
            !cookies.contains("latchkey=") && !cookies.contains("latchkey-form="),
            "{program:?}: {seen:?}"
        );
        assert!(!program.strips_cookies() || !cookies.contains("latchkey"), "{program:?}: {seen:?}");
    }
    // Each changes how the user logs in.
    let behind = Behind::start(program).await;
    with_a_passkey(&behind.app, &behind.wiki, &behind.ada).await;
    let behind = Behind::start(program).await;
    through_a_second_factor(&behind.app, &behind.wiki, &behind.ada).await;
}

async fn under_load(program: ProxyProgram, duration: Duration) -> usize {
    let behind = Behind::start(program).await;
    let user = behind.inside(&behind.wiki).await;
    let requests = load::one_session(&behind, &user, duration);
    outage::latchkey_stopped(&behind, &user).await;
    requests
}
