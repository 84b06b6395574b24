//! `latchkey doctor --app` through real proxies in forward-auth mode: green with the configuration that Latchkey
//! prints, and for each of the usual mistakes a problem with the line to change.

use std::fs;

use latchkey::apps::ProxyKind;

use crate::doctor::{Findings, doctor};
use crate::proxies::behind::Behind;
use crate::proxies::program::ProxyProgram;
use crate::support::process::Latchkey;

use super::{CHECKS, beside, look_with};

/// The checks of forward-auth mode alone, before the last one.
const MORE: [&str; 3] = ["app.proxy", "app.decision", "app.stream"];

fn latchkey(behind: &Behind) -> Latchkey {
    beside(&behind.app).with("SSL_CERT_FILE", behind.certificates.file("ca.pem").display())
}

/// No warning and no problem at each of the addresses, with TLS and without.
pub async fn the_printed_configuration_is_healthy(program: ProxyProgram) {
    let behind = Behind::start(program).await;
    let latchkey = latchkey(&behind);
    let secured = format!("https://wiki.localhost:{}", behind.https);
    for origin in [&behind.wiki.origin, &secured, &behind.board.origin] {
        let found = if *origin == behind.wiki.origin {
            doctor(&latchkey, &["--app", origin])
        } else {
            // Half as many requests at once.
            look_with(&latchkey, origin, &[])
        };
        let (last, others) = CHECKS.split_last().unwrap();
        assert_eq!(found.checks(), [others, &MORE, &[*last]].concat());
        let is_good = |row: &&serde_json::Value| row["level"] == "ok" || row["level"] == "note";
        let wrong: Vec<_> = found.rows.iter().filter(|row| !is_good(row)).collect();
        assert!(wrong.is_empty() && found.code == Some(0), "{origin}: {wrong:#?}\n{}", behind.log());
        let name = program.kind().as_str();
        let route = found.of("app.route")["seen"].as_str().unwrap().to_lowercase();
        assert!(route.ends_with(&format!("through {name}")), "{route}");
        found
            .says("app.identity", "ok", "12 spellings")
            .says("app.cookies", if program.strips_cookies() { "ok" } else { "note" }, "our cookies arrive")
            .says("app.handoff", "ok", "latchkey-state")
            .says("app.websocket", "ok", "`Upgrade` arrives")
            .says("app.upload", "ok", "arrives whole")
            .says("app.client-address", "ok", "through 1 proxies")
            .says("app.closed", "ok", "no client gets a page")
            .says("app.url", "ok", "even with forged headers")
            .says("app.cache", "ok", "no cache")
            .says("app.guard", "note", "rules let every visitor in at /public")
            .says("app.stream", "note", "--slow");
    }
    // No check sends the app anything.
    assert_eq!((behind.wiki.upstream.received().len(), behind.board.upstream.received().len()), (0, 0));
}

/// A mistake in a configuration, and what the doctor says about it.
struct Mistake {
    name: &'static str,
    change: fn(&mut String),
    check: &'static str,
    seen: &'static str,
    /// Words of the proxy's own configuration.
    advice: &'static str,
}

fn mistakes(kind: ProxyKind) -> &'static [Mistake] {
    match kind {
        ProxyKind::Nginx => &OF_NGINX,
        ProxyKind::Caddy => &OF_CADDY,
        ProxyKind::Traefik => &OF_TRAEFIK,
        ProxyKind::Haproxy => &OF_HAPROXY,
        ProxyKind::Envoy => &OF_ENVOY,
    }
}

/// Each of the proxy's mistakes is a problem of its check.
pub async fn mistakes_are_found(program: ProxyProgram) {
    let mut behind = Behind::start(program).await;
    for mistake in mistakes(program.kind()) {
        behind = behind.carry(mistake.change).await;
        let found: Findings = look_with(&latchkey(&behind), &behind.wiki.origin, &[]);
        let row = found.of(mistake.check);
        let said = |part: &str| row[part].as_str().unwrap_or_default().to_owned();
        assert!(
            row["level"] == "problem"
                && said("seen").contains(mistake.seen)
                && said("advice").contains(mistake.advice),
            "{}: {row:#}\n{:#?}",
            mistake.name,
            found.rows
        );
        assert_eq!(found.code, Some(1), "{}", mistake.name);
    }
}

fn replace(text: &mut String, old: &str, new: &str) {
    assert!(text.contains(old), "{old:?} is not in {text}");
    *text = text.replace(old, new);
}

/// In the part that begins with `start`.
fn replace_once_after(text: &mut String, start: &str, old: &str, new: &str) {
    let at = text.find(start).unwrap_or_else(|| panic!("{start:?} is not in {text}"));
    let (before, after) = text.split_at(at);
    assert!(after.contains(old), "{old:?} is not in {after}");
    *text = format!("{before}{}", after.replacen(old, new, 1));
}

static OF_NGINX: [Mistake; 7] = [
    Mistake {
        name: "no guard",
        change: |text| replace(text, "auth_request /.latchkey/decide;", ""),
        check: "app.guard",
        seen: "there is no guard",
        advice: "`auth_request /.latchkey/decide;`",
    },
    Mistake {
        name: "all headers are passed to the decision",
        change: |text| {
            let pass = "proxy_pass_request_body off;\n\t\t\tproxy_pass_request_headers off;\n\t\t\tproxy_connect_timeout";
            replace(text, pass, "proxy_pass_request_body off;\n\t\t\tproxy_connect_timeout");
        },
        check: "app.decision",
        seen: "every header of the client",
        advice: "`proxy_pass_request_headers off;`",
    },
    Mistake {
        name: "underscores",
        change: |text| replace(text, "underscores_in_headers off;", "underscores_in_headers on;"),
        check: "app.identity",
        seen: "the app receives it in remote_",
        advice: "`underscores_in_headers off`",
    },
    Mistake {
        name: "the client's Host",
        change: |text| {
            let begin = text.find("X-Original-URL $scheme://").expect("the URL") + 25;
            let end = begin + text[begin..].find("$request_uri").expect("the path");
            let authority = text[begin..end].to_owned();
            replace(text, &format!("$scheme://{authority}$request_uri"), "$scheme://$http_host$request_uri");
        },
        check: "app.url",
        seen: "with a forged `Host`",
        advice: "never `$http_host`",
    },
    Mistake {
        name: "our cookies",
        change: |text| {
            replace(text, "proxy_set_header Cookie $lk_cookie;", "proxy_set_header Cookie $http_cookie;")
        },
        check: "app.cookies",
        seen: "latchkey-app",
        advice: "$lk_cookie",
    },
    Mistake {
        name: "cached decisions",
        change: |text| {
            let cache = "\nhttp {\n\tproxy_cache_path cache keys_zone=decisions:1m;";
            replace(text, "\nhttp {", cache);
            let begin = "location = /.latchkey/decide {";
            let cached = format!(
                "{begin}\nproxy_cache decisions; proxy_cache_key $request_uri; proxy_cache_valid any 1m;\nproxy_ignore_headers Cache-Control Expires Set-Cookie Vary;"
            );
            replace(text, begin, &cached);
        },
        check: "app.cache",
        seen: "a cache in front",
        advice: "remove `proxy_cache`",
    },
    Mistake {
        name: "a page in place of an error",
        change: |text| replace(text, "error_page 500 = @latchkey_503;", "error_page 500 =200 /.latchkey/in;"),
        check: "app.closed",
        seen: "when Latchkey",
        advice: "`error_page … =200`",
    },
];

static OF_CADDY: [Mistake; 3] = [
    Mistake {
        name: "request_header outside of route",
        change: |text| {
            let inner = "handle {\n\t\trequest_header -Remote-*\n\t\t# The question mark";
            replace(text, "# The question mark", inner);
            // The block ends with that of each address.
            *text = text.replace("\n\t}\n}", "\n\t}\n\t}\n}");
        },
        check: "app.identity",
        seen: "",
        advice: "`route { … }`",
    },
    Mistake {
        name: "no question mark",
        change: |text| {
            for slug in ["wiki", "team-board"] {
                replace(text, &format!("/decide/forward/{slug}?"), &format!("/decide/forward/{slug}"));
            }
        },
        check: "app.decision",
        seen: "the client's query",
        advice: "`uri /decide/forward/wiki?`",
    },
    Mistake {
        name: "no guard",
        change: |text| {
            while let Some(begin) = text.find("\t\tforward_auth ") {
                let end = begin + text[begin..].find("\n\t\t}\n").expect("its end") + 4;
                text.replace_range(begin..end, "");
            }
        },
        check: "app.guard",
        seen: "there is no guard",
        advice: "`forward_auth`",
    },
];

static OF_TRAEFIK: [Mistake; 3] = [
    Mistake {
        name: "aliases are kept",
        change: |text| replace(text, "aliasHeadersStrategy: delete", "aliasHeadersStrategy: keep"),
        check: "app.identity",
        seen: "the app receives it in remote",
        advice: "`http.aliasHeadersStrategy: delete`",
    },
    Mistake {
        name: "the client's X-Forwarded",
        change: |text| {
            replace(text, "trustForwardHeader: false", "trustForwardHeader: true");
            replace(
                text,
                "\n    http:\n      # Removes",
                "\n    forwardedHeaders:\n      insecure: true\n    http:\n      # Removes",
            );
        },
        check: "app.url",
        seen: "with forged x-forwarded-",
        advice: "`trustForwardHeader: false`",
    },
    Mistake {
        name: "no guard",
        change: |text| replace(text, "[wiki-decide, wiki-clean", "[wiki-clean"),
        check: "app.guard",
        seen: "there is no guard",
        advice: "`forwardAuth` middleware",
    },
];

static OF_HAPROXY: [Mistake; 4] = [
    Mistake {
        name: "path_beg after replace-path",
        change: |text| {
            replace(
                text,
                "use_backend latchkey_front if door",
                "use_backend latchkey_front if { path_beg /.latchkey/ }",
            );
        },
        check: "app.reach",
        seen: "another server answers",
        advice: "/.latchkey/doctor",
    },
    Mistake {
        name: "absent headers stay the client's",
        change: |text| {
            let delete = "for _, name in ipairs(identity) do txn.http:req_del_header(name) end";
            change_script(text, delete, "");
        },
        check: "app.identity",
        seen: "the app receives it in remote-groups",
        advice: "`txn.http:req_del_header`",
    },
    Mistake {
        name: "other spellings are kept",
        change: |text| change_script(text, "if name:find(\"[^%w%-]\") then", "if false then"),
        check: "app.identity",
        seen: "the app receives it in remote_",
        advice: "every spelling",
    },
    Mistake {
        name: "what is not refused is let in",
        change: |text| {
            let refused = "if answer.status ~= 302 and answer.status ~= 401 and answer.status ~= 403 then";
            change_script(text, "if answer.status == 200 then", refused);
        },
        check: "app.closed",
        seen: "when Latchkey",
        advice: "let only status 200 pass",
    },
];

/// Changes the first place in the script that the configuration loads.
fn change_script(text: &mut String, old: &str, new: &str) {
    let begin = text.find("lua-load ").expect("a script") + 9;
    let file = text[begin..].lines().next().expect("its file").to_owned();
    let mut script = fs::read_to_string(&file).expect("the script");
    replace_once_after(&mut script, "core.register_action", old, new);
    let changed = format!("{file}.changed");
    fs::write(&changed, script).expect("a script");
    replace(text, &file, &changed);
}

static OF_ENVOY: [Mistake; 3] = [
    Mistake {
        name: "failure mode",
        change: |text| replace(text, "failure_mode_allow: false", "failure_mode_allow: true"),
        check: "app.closed",
        seen: "when Latchkey",
        advice: "`failure_mode_allow: false`",
    },
    Mistake {
        name: "underscores",
        change: |text| {
            replace(
                text,
                "headers_with_underscores_action: DROP_HEADER",
                "headers_with_underscores_action: ALLOW",
            );
            // The script drops them too.
            replace(text, "if name:find(\"[^%w%-:]\") then", "if false then");
        },
        check: "app.identity",
        seen: "the app receives it in remote_",
        advice: "`headers_with_underscores_action: DROP_HEADER`",
    },
    Mistake {
        name: "an identity header is missing",
        change: |text| replace(text, "- { exact: remote-groups }", ""),
        check: "app.identity",
        seen: "remote-groups",
        advice: "`allowed_upstream_headers`",
    },
];

#[actix_web::test]
async fn nginx_as_printed_is_healthy() {
    the_printed_configuration_is_healthy(ProxyProgram::Nginx).await;
}

#[actix_web::test]
async fn haproxy_as_printed_is_healthy() {
    the_printed_configuration_is_healthy(ProxyProgram::Haproxy).await;
}

#[actix_web::test]
async fn mistakes_in_nginx_are_found() {
    mistakes_are_found(ProxyProgram::Nginx).await;
}

#[actix_web::test]
async fn mistakes_in_haproxy_are_found() {
    mistakes_are_found(ProxyProgram::Haproxy).await;
}

#[actix_web::test]
async fn a_version_that_cannot_be_made_safe_is_a_problem() {
    let behind = Behind::start(ProxyProgram::Nginx).await;
    let latchkey = latchkey(&behind);
    for (named, level, words) in [
        ("caddy=2.11.6", "problem", "update Caddy to 2.11.7"),
        ("traefik=v3.7.12", "problem", "update Traefik to 3.7.13"),
        ("haproxy=2.4.22-1", "problem", "update HAProxy to 2.5.0"),
        ("nginx=1.22.1", "ok", "nginx 1.22.1"),
        ("envoy", "note", "`envoy --version`"),
    ] {
        let found = look_with(&latchkey, &behind.wiki.origin, &["--proxy", named]);
        found.says("app.proxy", level, words);
    }
}

#[actix_web::test]
async fn a_websocket_that_stays_open_is_a_warning() {
    let behind = Behind::start(ProxyProgram::Nginx).await;
    let found = look_with(&latchkey(&behind), &behind.wiki.origin, &["--slow", "2"]);
    found.says("app.stream", "warning", "still open after 2 s").says(
        "app.stream",
        "warning",
        "use proxy mode",
    );
    assert_eq!(found.code, Some(0), "{:#?}", found.rows);
}
