//! A decision reads one family of headers. What a client writes elsewhere does not matter, and a family that is not as
//! the proxy should write it is refused.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use latchkey::apps::{Access, Network, Rule};
use latchkey::config::FrontSettings;

use super::answers::{below, wiki};
use super::support::{FLAVOURS, Proxy, inside, spawn};
use crate::front::support::{navigation, register, script};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::upstream::{OK, Upstream};

#[actix_web::test]
async fn no_header_of_another_family_moves_a_decision() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let visitor = Browser::new(&wiki.origin);
    let claims = [
        ("x-original-url", "http://wiki.localhost/public"),
        ("x-original-method", "OPTIONS"),
        ("x-forwarded-uri", "/public"),
        ("x-forwarded-host", "other.localhost"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-rewrite-url", "/public"),
        ("x-http-method-override", "OPTIONS"),
        ("forwarded", "host=other.localhost;proto=https"),
        ("x-forwarded-prefix", "/public"),
        ("x-forwarded-port", "443"),
    ];
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        let family = proxy.family("GET", "/admin");
        let foreign = claims.iter().filter(|(name, _)| !family.iter().any(|(own, _)| own == name));
        let mut headers: Vec<_> = foreign.map(|(name, value)| (*name, (*value).to_owned())).collect();
        headers.extend(script());
        headers.extend(family);
        proxy.ask_with(headers, &visitor.cookies, "GET", "/admin").await.is(401).is_error("log-in");
    }
}

#[actix_web::test]
async fn each_header_of_the_family_must_be_there_once() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        let family = proxy.family("GET", "/");
        for (at, (name, value)) in family.iter().enumerate() {
            let mut without = family.clone();
            without.remove(at);
            let mut changed = vec![without];
            // The parser refuses two hosts by itself (RFC 9112 §3.2).
            if !["x-forwarded-for", "host"].contains(name) {
                changed.push([family.clone(), vec![(*name, value.clone())]].concat());
            }
            for other in ["", "a, b", "é", "https://user@wiki.localhost/", "user@wiki.localhost"] {
                let mut with_other = family.clone();
                with_other[at].1 = other.to_owned();
                changed.push(with_other);
            }
            for headers in changed {
                // Without a Host header, the client would add its own.
                if *name == "host" && !headers.iter().any(|(name, _)| *name == "host") {
                    continue;
                }
                let decided = proxy.ask_with(headers.clone(), &user.at_app.cookies, "GET", "/").await;
                assert_eq!(decided.status, 403, "{flavour} {headers:?}: {}", decided.body);
                decided.is_error("front.misconfigured");
            }
        }
        // The app is at http.
        proxy.scheme = "https";
        proxy.ask(&user.at_app, "GET", "/").await.is(403).is_error("front.misconfigured");
        proxy.scheme = "http";
        proxy.ask(&user.at_app, "GET", "/").await.is(200);
    }
}

#[actix_web::test]
async fn a_fragment_in_the_target_is_ambiguous() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let mut visitor = Browser::new(&wiki.origin);
    for flavour in FLAVOURS.into_iter().filter(|flavour| *flavour != "envoy") {
        for target in ["/public#/../admin", "/admin#/public", "/public/%zz#"] {
            visitor.headers = navigation();
            let mut proxy = Proxy::new(&app, &wiki, flavour);
            proxy.ask(&visitor, "GET", target).await.is(403).is_error("path.ambiguous").is_page("front/page");
            visitor.headers = script();
            let problem = proxy.ask(&visitor, "GET", target).await;
            assert_eq!(problem.is(403).json()["code"], "path.ambiguous");
        }
    }
}

#[actix_web::test]
async fn the_query_and_the_body_of_a_decision_are_ignored() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let visitor = Browser::new(&wiki.origin);
    for flavour in ["nginx", "forward", "haproxy"] {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        let mut headers = proxy.family("GET", "/admin");
        headers.extend(navigation());
        let path = format!("/decide/{flavour}/wiki?/public&to=/public");
        let decided = proxy.send("GET", &path, headers, &visitor.cookies).await;
        let location = decided.header("location").expect("a log-in");
        assert!(location.ends_with("/.latchkey/in?to=%2Fadmin"), "{location}");
    }
    // Two questions on one connection, each with a body.
    let host = wiki.origin.trim_start_matches("http://");
    let question = format!(
        "POST /decide/forward/wiki HTTP/1.1\r\nHost: front\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {host}\r\n\
         X-Forwarded-Uri: /public\r\nX-Forwarded-Method: GET\r\nX-Forwarded-For: 192.0.2.7\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 19\r\n\r\nX-Forwarded-Uri=/ab"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", app.decisions)).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let mut answered = String::new();
    for count in 1..=2 {
        stream.write_all(question.as_bytes()).expect("a question");
        while answered.matches("\r\n\r\n").count() < count {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).expect("an answer");
            assert_ne!(length, 0, "{answered}");
            answered.push_str(&String::from_utf8_lossy(&part[..length]));
        }
    }
    assert_eq!(answered.matches("HTTP/1.1 200").count(), 2, "{answered}");
}

#[actix_web::test]
async fn a_network_rule_uses_the_address_that_the_nth_proxy_from_the_right_wrote() {
    for (hops, list, is_inside) in [
        (1, "10.0.0.7", true),
        (1, "10.0.0.7, 192.0.2.1", false),
        (1, "192.0.2.1, 10.0.0.7", true),
        (2, "192.0.2.1, 10.0.0.7, 198.51.100.1", true),
        (2, "10.0.0.7, 192.0.2.1, 198.51.100.1", false),
        (2, "6.6.6.6,10.0.0.7 , \"[2001:db8::1]:4711\"", true),
    ] {
        let app = TestApp::spawn_with(|settings| {
            settings.front = FrontSettings { port: Some(0), hops, ..settings.front };
        });
        let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
            let mut open = Rule::everywhere(Access::Open);
            open.when.networks = vec!["10.0.0.0/8".parse::<Network>().expect("a network")];
            app.rules = vec![open, below("/", Access::SignedIn)];
        })
        .await;
        for flavour in FLAVOURS {
            let mut proxy = Proxy::new(&app, &wiki, flavour);
            proxy.client = list.to_owned();
            let status = proxy.ask(&Browser::new(&wiki.origin), "GET", "/").await.status;
            assert_eq!(status == 200, is_inside, "{flavour} {hops} {list}: {status}");
            // The proxies in front have written fewer addresses than there are hops.
            if hops == 2 {
                proxy.client = "10.0.0.7".to_owned();
                let decided = proxy.ask(&Browser::new(&wiki.origin), "GET", "/").await;
                decided.is(403).is_error("front.misconfigured");
            }
        }
    }
}

#[actix_web::test]
async fn the_listener_serves_nothing_else() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    let mut proxy = Proxy::new(&app, &wiki, "nginx");
    let none = BTreeMap::new();
    for path in [
        "/",
        "/login",
        "/home",
        "/healthz",
        "/readyz",
        "/api/v1/me",
        "/metrics",
        "/.latchkey/in",
        "/decide",
        "/decide/nginx",
        "/decide/nginx/wiki/",
        "/decide/caddy/wiki",
        "/DECIDE/nginx/wiki",
        "//decide/nginx/wiki",
        "/refusal/404",
        "/refusal/200",
        "/app/wiki",
    ] {
        for host in [wiki.origin.trim_start_matches("http://"), app.origin.trim_start_matches("http://")] {
            let mut headers = proxy.family("GET", "/");
            headers.push(("host", host.to_owned()));
            let answer = proxy.send("GET", path, headers, &user.at_app.cookies).await;
            answer.is(404).is_error("not-found");
        }
    }
    // The public port makes no decisions.
    let mut public = Browser::new(&app.origin);
    public.headers = proxy.family("GET", "/");
    public.get("/decide/nginx/wiki").await.is(404);
    proxy.send("GET", "/login", Vec::new(), &none).await.is(404);
}
