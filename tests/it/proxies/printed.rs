//! The printed configurations themselves: which files there are for which apps, and when there is none.

use std::fs;
use std::process::Command;

use latchkey::apps::{
    App, AppOrigin, ProxyConfigRefusal, ProxyFile, ProxyKind, ProxyOptions, Slug, Upstream, UpstreamHost,
    proxy_files,
};
use latchkey::db::Failed;

use super::program::ProxyProgram;
use crate::support::certificates::Certificates;

fn app(slug: &str, origins: &[&str], upstream: Option<&str>) -> App {
    let origins = origins.iter().map(|text| AppOrigin::parse(text).expect("an origin"));
    let upstream = upstream.map(|text| Upstream::parse(text, None).expect("an upstream"));
    App::new(Slug::parse(slug).expect("a slug"), upstream, origins.collect())
}

fn options() -> ProxyOptions {
    ProxyOptions {
        latchkey: "127.0.0.1:8081".to_owned(),
        certificate: None,
        key: None,
        directory: None,
        command: "latchkey app config".to_owned(),
    }
}

#[track_caller]
fn printed(kind: ProxyKind, apps: &[App], options: &ProxyOptions) -> Vec<ProxyFile> {
    proxy_files(kind, apps, options).unwrap_or_else(|_| panic!("no files for {kind:?}"))
}

fn refusal(apps: &[App], options: &ProxyOptions) -> ProxyConfigRefusal {
    match proxy_files(ProxyKind::Nginx, apps, options) {
        Err(Failed::Refused(why)) => why,
        other => panic!("{:?}", other.map_err(|_| "a fault")),
    }
}

#[test]
fn an_app_on_the_usual_port_gets_certificates_and_a_redirect() {
    let apps = [app("wiki", &["https://wiki.example.org"], Some("http://wiki:3000"))];
    for (kind, lines) in [
        (
            ProxyKind::Nginx,
            &[
                "listen 80;",
                "return 308 https://$host$request_uri;",
                "listen 443 ssl;",
                "ssl_certificate /etc/letsencrypt/live/wiki.example.org/fullchain.pem;",
                "server wiki:3000;",
                "proxy_set_header X-Original-URL $scheme://$host$request_uri;",
            ][..],
        ),
        (ProxyKind::Caddy, &["https://wiki.example.org {", "uri /decide/forward/wiki?", "stream_timeout 5m"]),
        (
            ProxyKind::Traefik,
            &[
                "aliasHeadersStrategy: delete",
                "trustForwardHeader: false",
                "maxResponseBodySize: 65536",
                "certFile: /etc/letsencrypt/live/wiki.example.org/fullchain.pem",
                "filename: /etc/traefik/traefik.yml",
                "to: port443",
            ],
        ),
        (
            ProxyKind::Haproxy,
            &[
                "lua-load /etc/haproxy/latchkey.lua",
                "crt /etc/haproxy/certs/wiki.example.org.pem",
                "redirect scheme https code 308",
            ],
        ),
        (
            ProxyKind::Envoy,
            &[
                "failure_mode_allow: false",
                "status_on_error: { code: ServiceUnavailable }",
                "path_prefix: /decide/envoy/wiki",
                "path_with_escaped_slashes_action: REJECT_REQUEST",
                "headers_with_underscores_action: DROP_HEADER",
                "https_redirect: true",
            ],
        ),
    ] {
        let files = printed(kind, &apps, &options());
        for line in lines {
            assert!(files[0].text.contains(line), "{kind:?} has no {line}:\n{}", files[0].text);
        }
        assert!(!files[0].text.contains("Replace http"), "{kind:?}");
    }
    let caddy = &printed(ProxyKind::Caddy, &apps, &options())[0].text;
    assert!(!caddy.contains("\ttls ") && !caddy.contains("auto_https"), "{caddy}");
}

#[test]
fn every_text_is_complete() {
    for (kind, count) in [
        (ProxyKind::Nginx, 1),
        (ProxyKind::Caddy, 1),
        (ProxyKind::Traefik, 1),
        (ProxyKind::Haproxy, 2),
        (ProxyKind::Envoy, 1),
    ] {
        let files = printed(kind, &many_apps(), &options());
        // With the certificates for one upstream.
        assert_eq!(files.len(), count + 1, "{kind:?}");
        for ProxyFile { name, text } in files {
            assert!(text.ends_with('\n') && text.len() > 20, "{name}");
            for left in ["{{", "{%", "{#", "\r", " \n", "\t\n", "\n\n\n"] {
                assert!(!text.contains(left), "{name} has {left:?}:\n{text}");
            }
        }
    }
}

/// A header that a location sets replaces those it inherits, so each must set all.
#[test]
fn each_location_of_nginx_keeps_its_connections_and_names_the_client() {
    let text = &printed(ProxyKind::Nginx, &many_apps(), &options())[0].text;
    let mut locations = 0;
    for location in text.split("\t\tlocation ").skip(1) {
        let body = location.split("\n\t\t}").next().unwrap_or_default();
        if body.contains("proxy_pass ") {
            locations += 1;
            assert!(body.contains("proxy_set_header Connection "), "{body}");
            assert!(body.contains("proxy_set_header X-Forwarded-For $remote_addr;"), "{body}");
        }
    }
    assert!(locations > 20, "{locations}");
    assert!(!text.contains("$http_host"));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let wiki = || app("wiki", &["https://wiki.localhost:8443"], None);
    assert_eq!(refusal(&[], &options()), ProxyConfigRefusal::NoApps);
    let mixed = [wiki(), app("board", &["http://board.localhost:8443"], None)];
    assert_eq!(refusal(&mixed, &options()), ProxyConfigRefusal::MixedPort(8443));
    for latchkey in ["", "latchkey:8081/x", "u@latchkey:8081", "a b:1", "latchkey:8081;"] {
        let options = ProxyOptions { latchkey: latchkey.to_owned(), ..options() };
        assert_eq!(refusal(&[wiki()], &options), ProxyConfigRefusal::Latchkey, "{latchkey}");
    }
    for path in ["relative.pem", "/a b.pem", "/a;b", "/a\"b", "/a\nb", "/{name}.pem", "/a#b"] {
        let options = ProxyOptions { certificate: Some(path.to_owned()), ..options() };
        assert_eq!(refusal(&[wiki()], &options), ProxyConfigRefusal::Path("certificate"), "{path}");
    }
    let options = ProxyOptions { key: Some("/etc/{host}.key".to_owned()), ..options() };
    let text = &printed(ProxyKind::Nginx, &[wiki()], &options)[0].text;
    assert!(text.contains("ssl_certificate_key /etc/wiki.localhost.key;"), "{text}");
    assert!(text.contains("Replace http://127.0.0.1:3000: Latchkey does not know where wiki listens."));
}

#[test]
fn nginx_and_haproxy_accept_every_kind_of_app() {
    accepts_every_kind_of_app(ProxyProgram::Nginx);
    accepts_every_kind_of_app(ProxyProgram::Haproxy);
}

/// Has the program check a configuration with all that an app can have.
pub fn accepts_every_kind_of_app(program: ProxyProgram) {
    let certificates = Certificates::new();
    let directory = certificates.file("printed");
    fs::create_dir(&directory).expect("a directory");
    let both =
        ["right.pem", "right.key"].map(|name| fs::read_to_string(certificates.file(name)).expect("a file"));
    fs::write(directory.join("both.pem"), both.concat()).expect("a file");
    let options = ProxyOptions {
        certificate: Some(directory.join("both.pem").display().to_string()),
        key: Some(certificates.file("right.key").display().to_string()),
        directory: Some(directory.display().to_string()),
        ..options()
    };
    let mut apps = many_apps();
    let pem = fs::read_to_string(certificates.file("ca.pem")).expect("a certificate");
    apps[1].upstream = Some(Upstream::parse("https://localhost:9443", Some(&pem)).expect("an upstream"));
    let files = printed(program.kind(), &apps, &options);
    for file in &files {
        fs::write(directory.join(&file.name), &file.text).expect("a file");
    }
    let main = directory.join(&files[0].name);
    let Some(mut check): Option<Command> = program.check_command(&directory, &main) else { return };
    let output = check.output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
}

fn many_apps() -> Vec<App> {
    let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----";
    let mut secure = app("secure", &["https://secure.localhost:18445"], None);
    secure.upstream = Some(Upstream::parse("https://localhost:9443", Some(pem)).expect("an upstream"));
    secure.upstream_host = UpstreamHost::Upstream;
    let mut limited = app("limited-2", &["http://limited.localhost:18080"], Some("http://[::1]:3001"));
    limited.limits.max_body = Some(1_000_000);
    vec![
        app(
            "wiki",
            &["https://wiki.localhost:18443", "http://docs.localhost:18080"],
            Some("http://127.0.0.1:3000"),
        ),
        secure,
        limited,
        app("unknown", &["https://unknown.localhost:18443"], None),
        app("public", &["https://public.localhost:18446"], Some("https://127.0.0.1:3443")),
    ]
}
