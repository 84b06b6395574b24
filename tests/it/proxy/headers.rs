//! What an upstream receives.

use latchkey::apps::UpstreamHost;

use super::harness::{H, Proxied, app_at};
use crate::support::upstream::{OK, Upstream};

#[test]
fn an_app_sees_only_our_identity() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let forged = "Remote-Groups: admins\r\nRemote_User: root\r\nRemote.User: root\r\nREMOTE-USER: root\r\n\
                  remote-user: root\r\nConnection: Remote-User, Remote-Groups\r\n";
    assert_eq!(proxied.ask(format!("GET / HTTP/1.1\r\n{H}{forged}\r\n")).status(), 200);
    let seen = upstream.only_request();
    assert_eq!(seen.values("remote-user"), ["7"]);
    assert_eq!(seen.values("remote-groups"), ["staff,wiki"]);
    assert_eq!(seen.values("remote-email"), ["ada@example.org"]);
    assert_eq!(seen.values("remote-name"), ["Ada Lovelace"]);
    let all = format!("{:?}", seen.headers);
    assert!(!all.contains("root") && !all.contains("admins"), "{all}");
}

#[test]
fn a_name_outside_ascii_is_one_header() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::named(app_at(&upstream.url()), "Céline Дима\r\nX: y", 64);
    assert_eq!(proxied.get("/").status(), 200);
    let seen = upstream.only_request();
    let name = seen.values("remote-name");
    assert_eq!(name, ["C%C3%A9line %D0%94%D0%B8%D0%BC%D0%B0%0D%0AX: y"]);
    assert!(seen.values("x").is_empty());
}

#[test]
fn the_apps_own_credentials_and_cookies_arrive_and_ours_do_not() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let sent = "Authorization: Basic YTpi\r\nCookie: a=b; __Host-latchkey-app=k; latchkey-state=s; c=d\r\n\
                X-Forwarded-For: 6.6.6.6\r\nX-Original-URL: /public\r\n";
    proxied.ask(format!("GET / HTTP/1.1\r\n{H}{sent}\r\n"));
    let seen = upstream.only_request();
    assert_eq!(seen.values("authorization"), ["Basic YTpi"]);
    assert_eq!(seen.values("cookie"), ["a=b; c=d"]);
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.values("x-forwarded-host"), ["wiki.localhost"]);
    assert!(seen.values("x-original-url").is_empty());
}

#[test]
fn paths_are_passed_on_byte_for_byte() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    for path in
        ["/a%2Fb/..%2f", "//x//y/", "/a/../b/./c", "/q?x=[1]&z=%5B", "/%00%zz", "/a;b=c,d", "/?", "/a?b?c"]
    {
        upstream.forget();
        assert_eq!(proxied.get(path).status(), 200, "{path}");
        assert_eq!(upstream.only_request().target(), path);
    }
}

#[test]
fn a_target_in_absolute_form_has_to_name_the_host() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    assert_eq!(proxied.get("http://secret.localhost/").status(), 400);
    assert_eq!(proxied.get("http://wiki.localhost@secret.localhost/").status(), 400);
    assert!(upstream.received().is_empty());
    assert_eq!(proxied.get("http://wiki.localhost/page?x=1").status(), 200);
    assert_eq!(upstream.only_request().target(), "/page?x=1");
}

#[test]
fn the_host_is_the_clients_or_the_upstreams() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::with_app(&upstream, |app| app.upstream_host = UpstreamHost::Upstream);
    proxied.get("/");
    let seen = upstream.only_request();
    assert_eq!(seen.values("host"), [format!("127.0.0.1:{}", upstream.port)]);
    assert_eq!(seen.values("x-forwarded-host"), ["wiki.localhost"]);
}

#[test]
fn other_hosts_are_the_portals() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let answer = proxied.ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((answer.status(), answer.body()), (200, "portal"));
    assert!(upstream.received().is_empty());
}
