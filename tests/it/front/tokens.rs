//! Access tokens at the hosts of apps: which requests they admit, and what the app and the log receive.

use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use latchkey::apps::{Access, AccessList, App, Explain, PathMatch, RequiredFactor, Rule, RulePath};
use latchkey::config::Origin;
use latchkey::identity::{Client, GroupName, UserId};
use latchkey::tokens::{CreatedToken, TokenText};
use reqwest::Method;

use crate::front::support::{User, Wiki, navigation, register, script};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::process::eventually;
use crate::support::upstream::{OK, Upstream};

pub fn bearer(token: &CreatedToken) -> String {
    format!("Bearer {}", token.text.reveal())
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))
}

/// A text with a valid checksum that is not a token.
pub fn made_up_token(number: u8) -> String {
    let body = format!("lk_{}", BASE64URL_NOPAD.encode(&[number; 32]));
    let crc = !body.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    });
    let token = body + &BASE64URL_NOPAD.encode(&crc.to_be_bytes());
    assert!(TokenText::hash_of(&token).is_some());
    token
}

fn below(path: &str, access: Access) -> Rule {
    let mut rule = Rule::everywhere(access);
    rule.when.path = PathMatch::Below(RulePath::parse(path).expect("a path"));
    rule
}

/// Tokens count below `/dav`, `/public` is open, and the rest is for every user who has logged in.
fn with_dav(app: &mut App) {
    app.rules = vec![
        Rule { tokens: true, ..below("/dav", Access::SignedIn) },
        below("/public", Access::Open),
        Rule::everywhere(Access::SignedIn),
    ];
}

async fn dav(app: &TestApp) -> Wiki {
    register(app, "wiki", Upstream::answering(OK), with_dav).await
}

/// A program that sends only this header.
fn program(wiki: &Wiki, authorization: &str) -> Browser {
    let mut program = Browser::new(&wiki.origin);
    program.headers = vec![("authorization", authorization.to_owned())];
    program
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let values = answer.headers.get_all("www-authenticate").iter();
    values.map(|value| value.to_str().expect("a text")).collect()
}

#[actix_web::test]
async fn a_token_opens_its_app_as_bearer_or_as_a_password_and_the_app_does_not_see_it() {
    let app = TestApp::spawn();
    let wiki = dav(&app).await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let text = token.text.reveal();
    let values = [
        bearer(&token),
        format!("bearer {text}"),
        basic(ada.email, text),
        basic("", text),
        basic("nobody@example.org", text),
    ];
    for (number, value) in values.iter().enumerate() {
        wiki.upstream.forget();
        let mut program = program(&wiki, value);
        let method = Method::from_bytes([&b"PROPFIND"[..], b"GET", b"PUT", b"DELETE", b"HEAD"][number]);
        let request = program.request(method.expect("a method"), "/dav/calendar").body("x");
        program.send(request).await.is(200);
        let seen = wiki.upstream.only_request();
        assert_eq!(seen.values("authorization"), [""; 0], "{value}");
        assert_eq!(seen.values("remote-user"), [ada.id.to_string()], "{value}");
        assert_eq!(seen.values("remote-email"), [ada.email], "{value}");
        assert!(!seen.headers.iter().any(|(_, value)| value.contains("lk_")), "{:?}", seen.headers);
        assert!(program.cookies.is_empty(), "a token opens no session");
    }
    // Nothing was opened at the portal.
    assert_eq!(app.live_sessions(&ada), 0);
    app.accounts.sessions().flush_touches().await.expect("a database");
    let tokens = app.accounts.tokens.of_user(UserId(ada.id)).await.expect("a database");
    assert!(tokens[0].last_used_at.is_some(), "its use is noted");
}

#[actix_web::test]
async fn if_the_rule_does_not_say_tokens_a_token_opens_no_more_than_a_visitor_can() {
    let app = TestApp::spawn();
    let wiki = dav(&app).await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let mut program = program(&wiki, &bearer(&token));
    let refused = program.get("/page").await;
    refused.is(401).is_error("log-in");
    assert_eq!(challenges(&refused), ["Latchkey realm=\"wiki\""], "another token would not help");
    assert_eq!(refused.json()["detail"], "The rule for this address accepts no access tokens.");
    // A client with a token is a program, even if it accepts HTML.
    program.headers.push(("accept", "text/html".to_owned()));
    program.get("/page").await.is(401).is_error("log-in");
    assert!(wiki.upstream.received().is_empty());
    // Open paths stay open. The app receives neither the token nor the identity of its user.
    program.get("/public/logo.png").await.is(200);
    let seen = wiki.upstream.only_request();
    assert!(seen.values("authorization").is_empty() && seen.values("remote-user").is_empty(), "{seen:?}");
    // Rules that require more than a token proves.
    let two: fn(&mut Rule) = |rule| rule.factor = RequiredFactor::Two;
    let fresh: fn(&mut Rule) = |rule| rule.fresh = Some(Duration::from_secs(600));
    for (slug, change) in [("two", two), ("fresh", fresh)] {
        let strict = register(&app, slug, Upstream::answering(OK), |app| {
            with_dav(app);
            change(&mut app.rules[0]);
        })
        .await;
        let token = app.token(&ada, &[&format!("app:{slug}")]).await;
        let mut program = self::program(&strict, &bearer(&token));
        program.get("/dav/x").await.is(401).is_error("log-in");
        assert!(strict.upstream.received().is_empty(), "{slug}");
    }
}

#[actix_web::test]
async fn a_program_is_asked_for_a_token_and_a_browser_is_sent_to_the_log_in() {
    let app = TestApp::spawn();
    let wiki = dav(&app).await;
    let mut client = Browser::new(&wiki.origin);
    let asked = client.get("/dav/calendar").await;
    asked.is(401).is_error("log-in");
    assert_eq!(
        challenges(&asked),
        ["Latchkey realm=\"wiki\"", "Bearer realm=\"wiki\"", "Basic realm=\"wiki\", charset=\"UTF-8\""]
    );
    // A browser would open a dialog for a password.
    client.headers = script();
    let answer = client.get("/dav/calendar").await;
    assert_eq!(challenges(answer.is(401)), ["Latchkey realm=\"wiki\""]);
    client.headers = navigation();
    client.get("/dav/calendar").await.is(302);
    // The password of the account never works, not even for its owner.
    let ada = app.ada().await;
    let mut program = program(&wiki, &basic(ada.email, ada.password));
    let refused = program.get("/dav/calendar").await;
    refused.is(401).is_error("log-in");
    assert_eq!(challenges(&refused).len(), 3);
    assert!(wiki.upstream.received().is_empty());
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM throttles"), 0, "no password was checked");
}

#[actix_web::test]
async fn a_token_that_has_ended_or_is_for_something_else_opens_nothing() {
    let app = TestApp::spawn();
    let wiki = dav(&app).await;
    register(&app, "shop", Upstream::answering(OK), with_dav).await;
    let ada = app.ada().await;
    let mary = app.mary().await;
    let [revoked, expired, good] = [
        app.token(&ada, &["app:wiki"]).await,
        app.token(&ada, &["app:wiki"]).await,
        app.token(&ada, &["app:wiki"]).await,
    ];
    let of_disabled = app.token(&mary, &["app:wiki"]).await;
    for token in [&revoked, &expired, &of_disabled] {
        program(&wiki, &bearer(token)).get("/dav").await.is(200);
    }
    let client = Client::operator;
    app.accounts.tokens.revoke_own(UserId(ada.id), revoked.record.id, client()).await.expect("a database");
    app.accounts.admin.disable(None, UserId(mary.id), client()).await.expect("a database");
    app.db.execute(&format!(
        "UPDATE tokens SET created_at = created_at - interval '2 days', expires_at = now() - interval '1 second' \
         WHERE id = '{}'",
        expired.record.id
    ));
    app.accounts.sessions().wait_until_invalidated().await;
    let mistyped = {
        let text = good.text.reveal();
        let other = if text.ends_with('A') { "B" } else { "A" };
        format!("Bearer {}{other}", &text[..text.len() - 1])
    };
    let cut = format!("Bearer {}", &good.text.reveal()[..40]);
    wiki.upstream.forget();
    // An app key in the same request does not count: a request with a token is judged by the token.
    let user = User::inside(&app, &wiki, &ada).await;
    wiki.upstream.forget();
    for (why, value) in [
        ("revoked", bearer(&revoked)),
        ("expired", bearer(&expired)),
        ("of a disabled user", bearer(&of_disabled)),
        ("for another app", bearer(&app.token(&ada, &["app:shop"]).await)),
        ("for the API", bearer(&app.token(&ada, &["me"]).await)),
        ("unknown", format!("Bearer {}", made_up_token(1))),
        ("mistyped", mistyped),
        ("cut", cut),
    ] {
        let mut program = program(&wiki, &value);
        program.cookies = user.at_app.cookies.clone();
        let refused = program.get("/dav").await;
        refused.is(401).is_error("log-in");
        assert_eq!(challenges(&refused)[1], "Bearer realm=\"wiki\", error=\"invalid_token\"", "{why}");
        assert!(refused.json()["detail"].as_str().is_some_and(|text| text.contains("unknown")), "{why}");
    }
    assert!(wiki.upstream.received().is_empty());
    program(&wiki, &bearer(&good)).get("/dav").await.is(200);
}

#[actix_web::test]
async fn a_token_opens_what_its_user_may_open_now() {
    let app = TestApp::spawn();
    let staff = GroupName::parse("staff").expect("a name");
    app.accounts.groups.add(None, staff.clone(), "", Client::operator()).await.expect("a group");
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        let list = AccessList { groups: vec![staff.clone()], ..AccessList::default() };
        app.rules = vec![Rule { tokens: true, ..Rule::everywhere(Access::Listed(list)) }];
        app.explain = Explain::Groups;
    })
    .await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let mut program = program(&wiki, &bearer(&token));
    program.get("/").await.is(403).is_error("not-allowed");
    app.accounts.groups.join(None, &staff, UserId(ada.id), Client::operator()).await.expect("a member");
    program.get("/").await.is(200);
    assert_eq!(wiki.upstream.only_request().values("remote-groups"), ["staff"]);
    app.accounts.groups.leave(None, &staff, UserId(ada.id), Client::operator()).await.expect("no member");
    let refused = program.get("/").await;
    assert!(refused.is(403).json()["detail"].as_str().is_some_and(|text| text.contains("staff")));
    let recorded = async || (app.events("app.refused") == 1).then_some(());
    eventually("the refusal is recorded", recorded).await;
    assert_eq!(
        app.db
            .scalar::<i64>("SELECT count(*) FROM audit_events WHERE act = 'app.refused' AND session IS NULL"),
        1
    );
}

#[actix_web::test]
async fn a_revoked_token_is_refused_by_every_instance_before_the_answer() {
    let app = TestApp::spawn();
    let second = app.beside(|settings| {
        settings.server.public = Origin::parse(&app.origin).expect("an origin");
    });
    let wiki = dav(&app).await;
    let ada = app.ada().await;
    let port = second.origin.rsplit(':').next().expect("a port");
    for _ in 0..5 {
        let token = app.token(&ada, &["app:wiki"]).await;
        let mut here = program(&wiki, &bearer(&token));
        let mut there = here.copy_at(&format!("http://wiki.localhost:{port}"));
        // The second request of each is served from memory.
        for _ in 0..2 {
            here.get("/dav").await.is(200);
            there.get("/dav").await.is(200);
        }
        let revoked =
            app.accounts.tokens.revoke_own(UserId(ada.id), token.record.id, Client::operator()).await;
        assert!(revoked.expect("a database").is_some());
        there.get("/dav").await.is(401);
        here.get("/dav").await.is(401);
    }
}

#[actix_web::test]
async fn guesses_are_limited_per_network_and_live_tokens_still_work() {
    let app = TestApp::spawn_with(|settings| settings.throttle.address_free = 3);
    let wiki = dav(&app).await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let guess = async |number| program(&wiki, &basic("ada", &made_up_token(number))).get("/dav").await;
    // A program that repeats a token which has ended counts once.
    for _ in 0..10 {
        guess(0).await.is(401);
    }
    for number in 1..4 {
        guess(number).await.is(401);
    }
    let limited = guess(4).await;
    limited.is(429).is_error("too-many-tokens");
    let wait: u64 = limited.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a time");
    assert!((1..=31).contains(&wait), "{wait}");
    let counted: i64 =
        app.db.scalar("SELECT max(failures)::bigint FROM throttles WHERE bucket LIKE 'token:%'");
    guess(5).await.is(429);
    assert_eq!(
        app.db.scalar::<i64>("SELECT max(failures)::bigint FROM throttles WHERE bucket LIKE 'token:%'"),
        counted,
        "the database is not asked again"
    );
    program(&wiki, &bearer(&token)).get("/dav").await.is(200);
    // Guesses prevent neither log-ins nor requests to open paths.
    app.logged_in(&ada).await;
    Browser::new(&wiki.origin).get("/public/x").await.is(200);
}
