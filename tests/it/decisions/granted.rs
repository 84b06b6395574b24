//! The answer that lets a request in: identity headers, and what the proxy must remove.

use data_encoding::BASE64;
use latchkey::apps::{Access, IdentityHeaderName, RemoteUser, Rule};

use super::answers::{below, wiki};
use super::support::{FLAVOURS, Proxy, inside, spawn};
use crate::front::support::register;
use crate::front::tokens::{bearer, made_up_token};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::upstream::{OK, Upstream};

const REMOVES: &str = "x-envoy-auth-headers-to-remove";

#[actix_web::test]
async fn renamed_headers_are_all_sent_empty_ones_for_visitors() {
    let app = spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![below("/public", Access::Open), Rule::everywhere(Access::SignedIn)];
        app.header_names.user = IdentityHeaderName::parse("X-WebAuth-User").expect("a name");
        app.header_names.groups = IdentityHeaderName::parse("Roles").expect("a name");
        app.remote_user = RemoteUser::Email;
    })
    .await;
    let user = inside(&app, &wiki).await;
    app.db.execute("UPDATE users SET name = E'Céline Дима'");
    app.accounts.sessions().wait_until_invalidated().await;
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        let decided = proxy.ask(&user.at_app, "GET", "/").await;
        decided.is(200);
        assert_eq!(decided.header("x-webauth-user"), Some("ada@example.org"));
        assert_eq!(decided.header("remote-email"), Some("ada@example.org"));
        assert_eq!(decided.header("roles"), Some(""));
        assert!(decided.header("remote-name").is_some_and(|name| name.is_ascii() && !name.is_empty()));
        assert_eq!((decided.header("remote-user"), decided.header("remote-groups")), (None, None));
        assert_eq!(decided.header("cache-control"), Some("no-store"));
        let visitor = proxy.ask(&Browser::new(&wiki.origin), "GET", "/public").await;
        visitor.is(200);
        for name in ["x-webauth-user", "remote-email", "remote-name", "roles"] {
            assert_eq!(visitor.header(name), Some(""), "{flavour} {name}");
        }
        let removed = visitor.header(REMOVES);
        assert_eq!(removed.is_some(), flavour == "envoy");
        if let Some(removed) = removed {
            let all = "x.webauth-user,x-webauth.user,x.webauth.user,remote.email,remote.name";
            assert_eq!(removed, all);
        }
    }
}

#[actix_web::test]
async fn a_name_with_too_many_spellings_for_envoy_is_refused_there_alone() {
    let app = spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(Access::Open)];
        app.header_names.user = IdentityHeaderName::parse("X-A-B-C-D-E-User").expect("a name");
    })
    .await;
    for flavour in FLAVOURS {
        let decided = Proxy::new(&app, &wiki, flavour).ask(&Browser::new(&wiki.origin), "GET", "/").await;
        match flavour {
            "envoy" => decided.is(403).is_error("front.misconfigured"),
            _ => decided.is(200),
        };
    }
}

#[actix_web::test]
async fn a_token_opens_the_app_and_the_proxy_is_told_to_remove_it() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let basic = |password: &str| format!("Basic {}", BASE64.encode(format!("ada:{password}").as_bytes()));
    let mut program = Browser::new(&wiki.origin);
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        for value in [bearer(&token), basic(token.text.reveal())] {
            program.headers = vec![("authorization", value)];
            let decided = proxy.ask(&program, "PROPFIND", "/dav").await;
            decided.is(200);
            assert_eq!(decided.header("remote-email"), Some(ada.email), "{flavour}");
            assert_eq!(decided.header("authorization"), None);
            let says = decided.header("x-latchkey-token") == Some("1");
            assert_eq!(says, ["nginx", "haproxy"].contains(&flavour), "{flavour}");
            let removes = decided.header(REMOVES).is_some_and(|names| names.ends_with(",authorization"));
            assert_eq!(removes, flavour == "envoy");
            // An open path does not need it, and must not get it either.
            let open = proxy.ask(&program, "GET", "/public").await;
            assert_eq!(open.is(200).header("remote-email"), Some(""));
            assert_eq!(open.header("x-latchkey-token"), decided.header("x-latchkey-token"));
            assert_eq!(open.header(REMOVES), decided.header(REMOVES));
        }
    }
}

#[actix_web::test]
async fn the_apps_own_credentials_do_not_break_the_decision_and_stay() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    let mut browser = user.at_app.copy();
    browser.headers.push(("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".to_owned()));
    for flavour in FLAVOURS {
        let decided = Proxy::new(&app, &wiki, flavour).ask(&browser, "GET", "/").await;
        decided.is(200);
        assert_eq!(decided.header("remote-email"), Some("ada@example.org"));
        let returned = decided.header("authorization");
        // Caddy and Traefik replace the header by what the decision returns.
        assert_eq!(returned.is_some(), flavour == "forward", "{flavour}");
        assert!(returned.is_none_or(|value| value == browser.headers[3].1));
        assert_eq!(decided.header("x-latchkey-token"), None);
        assert!(!decided.header(REMOVES).is_some_and(|names| names.contains("authorization")));
    }
}

#[actix_web::test]
async fn a_network_that_guesses_tokens_is_refused_with_a_status_that_proxies_pass_on() {
    let app = TestApp::spawn_with(|settings| {
        settings.front.port = Some(0);
        settings.throttle.address_free = 3;
    });
    let wiki = wiki(&app).await;
    let mut program = Browser::new(&wiki.origin);
    let mut proxy = Proxy::new(&app, &wiki, "forward");
    for number in 0..4 {
        program.headers = vec![("authorization", format!("Bearer {}", made_up_token(number)))];
        proxy.ask(&program, "GET", "/dav").await.is(401);
    }
    program.headers = vec![("authorization", format!("Bearer {}", made_up_token(4)))];
    let refused = proxy.ask(&program, "GET", "/dav").await;
    refused.is(403).is_error("too-many-tokens");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json()["status"], 403);
    // The client's network is counted, not that of the proxy.
    proxy.client = "198.51.100.9".to_owned();
    proxy.ask(&program, "GET", "/dav").await.is(401);
}
