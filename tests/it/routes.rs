//! Tests the route table: for every persona, the guard of a route alone decides the response.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use latchkey::web::routes::{self, Face, Method, Route};
use latchkey::web::session::guard::GuardKind;
use reqwest::header::{ORIGIN, REFERER};
use serde_json::Value;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::files::{files_below, root};
use crate::support::generated::check_table;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Persona {
    Anonymous,
    /// The password was accepted, the second factor is still missing.
    Pending,
    /// Logged in and confirmed an hour ago.
    Member,
    ConfirmedMember,
    Admin,
    ConfirmedAdmin,
    /// A confirmed administrator whose browser was made to send this by another site.
    CrossSite,
    /// A confirmed administrator with the token of another session of theirs.
    ForeignToken,
}

const EVERYBODY: [Persona; 8] = [
    Persona::Anonymous,
    Persona::Pending,
    Persona::Member,
    Persona::ConfirmedMember,
    Persona::Admin,
    Persona::ConfirmedAdmin,
    Persona::CrossSite,
    Persona::ForeignToken,
];

#[derive(Debug, PartialEq)]
enum Outcome {
    Admitted,
    LogIn,
    Confirm,
    Forbidden,
}

/// The whole policy.
fn expected(guard: GuardKind, method: Method, persona: Persona) -> Outcome {
    use Persona::*;
    match (guard, persona) {
        // A cookie opens nothing there, and neither does its absence.
        (GuardKind::Scoped(_), _) => Outcome::Forbidden,
        (_, CrossSite) if method == Method::Post => Outcome::Forbidden,
        // A browser with a session, or without any cookie, has no pending log-in.
        (GuardKind::Pending, Pending) => Outcome::Admitted,
        (GuardKind::Pending, _) => Outcome::LogIn,
        (_, ForeignToken) if method == Method::Post => Outcome::Forbidden,
        (GuardKind::Visitor, _) => Outcome::Admitted,
        (_, Anonymous | Pending) => Outcome::LogIn,
        (GuardKind::Admin, Member | ConfirmedMember) => Outcome::Forbidden,
        (GuardKind::Confirmed | GuardKind::Admin, Member | Admin) => Outcome::Confirm,
        _ => Outcome::Admitted,
    }
}

fn outcome(row: &Route, answer: &Answer) -> Outcome {
    // A script is told where to go first.
    let next = if row.face == Face::Json && answer.status == 403 {
        answer.json()["next"].take()
    } else {
        Value::Null
    };
    match answer.status {
        403 if next.as_str().is_some_and(|next| next.starts_with("/login")) => Outcome::LogIn,
        403 if next.as_str().is_some_and(|next| next.starts_with("/confirm")) => Outcome::Confirm,
        // The one page that redirects every persona.
        303 if row.path == "/logout" => Outcome::Admitted,
        // Admits visitors, and sends them to the log-in itself.
        303 if row.path == "/go/{slug}" => Outcome::Admitted,
        303 if answer.is_sent_to("/login") => Outcome::LogIn,
        303 if answer.is_sent_to("/confirm") => Outcome::Confirm,
        // The guarded pages of the lab answer 401 to every persona without a run.
        401 if row.path.starts_with("/compare/") => Outcome::Admitted,
        401 | 403 => Outcome::Forbidden,
        fault @ 500.. => panic!("{} answers {fault}: {}", row.path, answer.body),
        _ => Outcome::Admitted,
    }
}

/// Posts only this token, as forms or as scripts do.
async fn post(browser: &mut Browser, row: &Route, path: &str, token: &str) -> Answer {
    if row.face == Face::Api {
        let method = row.method.as_str().parse().expect("a method");
        return browser.send(browser.request(method, path)).await;
    }
    if row.face == Face::Page {
        return browser.post_bare(path, &[("csrf_token", token)]).await;
    }
    let post = browser.request(reqwest::Method::POST, path).header("content-type", "application/json");
    browser.send(post.header("x-csrf-token", token).body("{}")).await
}

/// The throttle is not under test here.
fn app() -> TestApp {
    TestApp::spawn_with(|settings| {
        settings.throttle.account_free = 100_000;
        settings.throttle.address_free = 100_000;
        settings.throttle.asks_per_hour = 100_000;
    })
}

fn every_row() -> Vec<Route> {
    let mut rows = routes::table();
    rows.extend(routes::local_table());
    rows
}

/// The rows that take forms, or JSON with the token of a page.
fn every_form() -> Vec<Route> {
    let mut rows = every_row();
    rows.retain(|row| row.method == Method::Post && row.operation.is_none());
    rows
}

/// The path of a row with ids that do not exist.
fn filled(path: &str) -> String {
    let id = Uuid::new_v4().to_string();
    path.split('/')
        .map(|part| if part.starts_with('{') { id.as_str() } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

async fn browser_of(app: &TestApp, persona: Persona, ada: &Person, grace: &Person) -> Browser {
    let person = match persona {
        Persona::Anonymous => {
            let mut browser = app.browser();
            browser.get("/login").await.is(200);
            return browser;
        }
        // A separate user, so that the other personas keep their sessions.
        Persona::Pending => return pending(app).await,
        Persona::Member | Persona::ConfirmedMember => ada,
        _ => grace,
    };
    let mut browser = app.logged_in(person).await;
    browser.get("/account").await.is(200);
    match persona {
        Persona::Member | Persona::Admin => app.age_confirmations(),
        Persona::CrossSite => browser.headers.push(("origin", "https://evil.example".into())),
        Persona::ForeignToken => {
            let mut other = app.logged_in(person).await;
            other.get("/account").await.is(200);
            assert_ne!(other.token, browser.token);
            browser.token = other.token;
        }
        _ => {}
    }
    browser
}

async fn pending(app: &TestApp) -> Browser {
    let known: i64 = app.db.scalar("SELECT count(*) FROM users WHERE email = 'mary@example.org'");
    if known == 0 {
        app.enrol(&mut app.logged_in(&app.mary().await).await).await;
    }
    let mut browser = app.browser();
    let mary = TestApp::MARY;
    browser.log_in(mary.0, mary.1).await.redirects_to("/login/second-factor");
    browser.get("/login/second-factor").await.is(200);
    browser
}

#[actix_web::test]
async fn admission_depends_only_on_the_guard_of_the_route() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut wrong = Vec::new();
    for persona in EVERYBODY {
        let mut browser = browser_of(&app, persona, &ada, &grace).await;
        let mut token = browser.token.clone();
        for row in every_row() {
            let path = filled(row.path);
            let answer = match row.method {
                Method::Get => browser.get(&path).await,
                _ => post(&mut browser, &row, &path, &token).await,
            };
            let (got, want) = (outcome(&row, &answer), expected(row.guard, row.method, persona));
            // This guard queries the database while the form is read, so either may refuse first.
            let both_refuse = row.guard == GuardKind::Pending && persona == Persona::ForeignToken;
            if got != want && !(both_refuse && got == Outcome::Forbidden) {
                wrong.push(format!("{persona:?} {:?} {}: {got:?} instead of {want:?}", row.method, row.path));
            }
            // Logging in again ends a pending log-in, and so does logging out.
            if row.path == "/logout" || persona == Persona::Pending {
                browser = browser_of(&app, persona, &ada, &grace).await;
                token = browser.token.clone();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[actix_web::test]
async fn after_the_login_a_redirected_user_returns_to_the_requested_page() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut stranger = browser_of(&app, Persona::Anonymous, &ada, &grace).await;
    let mut admin = browser_of(&app, Persona::Admin, &ada, &grace).await;
    for row in every_row() {
        let path = filled(row.path);
        for (browser, door) in [(&mut stranger, "/login"), (&mut admin, "/confirm")] {
            let answer = match row.method {
                Method::Get => browser.get(&path).await,
                _ => {
                    let referer = format!("{}/account/sessions?page=2", app.origin);
                    let post = browser.request(reqwest::Method::POST, &path).header(REFERER, referer);
                    browser.send(post.form(&[("csrf_token", "")])).await
                }
            };
            if row.path == "/logout" || !answer.is_sent_to(door) {
                continue;
            }
            let back = match row.method {
                // An ended pending log-in starts over.
                _ if row.guard == GuardKind::Pending => door.to_owned(),
                Method::Get if row.path == "/home" => door.to_owned(),
                Method::Get => format!("{door}?next={path}"),
                _ => format!("{door}?next=/account/sessions?page=2"),
            };
            answer.redirects_to(&back);
        }
    }
}

#[actix_web::test]
async fn a_form_needs_the_token_of_its_own_visitor() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut stranger = browser_of(&app, Persona::Anonymous, &ada, &grace).await;
    let mut other = browser_of(&app, Persona::Anonymous, &ada, &grace).await;
    let mut admin = browser_of(&app, Persona::ConfirmedAdmin, &ada, &grace).await;
    other.get("/login").await.is(200);
    let mut waiting = pending(&app).await;
    for row in every_form() {
        let path = filled(row.path);
        let tokens = ["", "x", &"A".repeat(43), &other.token, &"A".repeat(8000)];
        if row.guard == GuardKind::Pending {
            for token in tokens.into_iter().chain([stranger.token.as_str(), &admin.token]) {
                waiting.post_bare(&path, &[("csrf_token", token), ("code", "123456")]).await.is(403);
            }
            waiting.post_bare(&path, &[]).await.is(403);
            continue;
        }
        for token in tokens {
            post(&mut admin, &row, &path, token).await.is(403);
        }
        post(&mut admin, &row, &path, &stranger.token).await.is(403);
        admin.post_bare(&path, &[]).await.is(403);
        if row.guard == GuardKind::Visitor && row.path != "/logout" {
            for token in tokens {
                post(&mut stranger, &row, &path, token).await.is(403);
            }
            post(&mut stranger, &row, &path, &admin.token).await.is(403);
            stranger.post_bare(&path, &[]).await.is(403);
        }
    }
    assert!(admin.is_in().await);
    stranger.post_bare("/logout", &[]).await.redirects_to("/login");
    let mut fresh = app.browser();
    fresh.post_bare("/logout", &[]).await.redirects_to("/login");
}

#[actix_web::test]
async fn requests_from_other_sites_change_nothing_on_any_route() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = browser_of(&app, Persona::ConfirmedAdmin, &ada, &grace).await;
    let mut stranger = browser_of(&app, Persona::Anonymous, &ada, &grace).await;
    let before = app.dump();
    for row in every_form() {
        let path = filled(row.path);
        for (name, value) in [
            ("origin", "https://evil.example".to_owned()),
            ("origin", "null".to_owned()),
            ("origin", format!("{}.evil.example", app.origin)),
            ("origin", format!("{}/", app.origin)),
            ("sec-fetch-site", "cross-site".to_owned()),
            ("sec-fetch-site", "same-site".to_owned()),
        ] {
            for browser in [&mut browser, &mut stranger] {
                let token = browser.token.clone();
                let post = browser.request(reqwest::Method::POST, &path).header(name, value.clone());
                browser.send(post.form(&[("csrf_token", &token)])).await.is(403);
            }
        }
    }
    assert_eq!(app.dump(), before);
    assert!(browser.is_in().await);
    let own = browser.request(reqwest::Method::POST, "/account/profile").header(ORIGIN, &app.origin);
    let token = browser.token.clone();
    let own = own.form(&[("csrf_token", token.as_str()), ("name", "Rear Admiral Hopper")]);
    browser.send(own).await.redirects_to("/account");
}

#[actix_web::test]
async fn the_wrong_method_is_405_and_names_the_right_ones() {
    let app = app();
    let mut browser = app.browser();
    let mut allowed = BTreeMap::<&str, BTreeSet<&str>>::new();
    for row in every_row() {
        let methods = allowed.entry(row.path).or_default();
        match row.method {
            Method::Get => methods.extend(["GET", "HEAD"]),
            other => methods.extend([other.as_str()]),
        }
    }
    refuses_all_but(&mut browser, allowed).await;
}

#[actix_web::test]
async fn the_wrong_method_is_405_outside_the_table_as_well() {
    let app = app();
    let paths = [
        "/healthz",
        "/readyz",
        "/robots.txt",
        "/.well-known/change-password",
        "/.well-known/passkey-endpoints",
        "/static/app.css",
        "/static/passkeys.js",
    ];
    let allowed = paths.map(|path| (path, BTreeSet::from(["GET", "HEAD"]))).into();
    refuses_all_but(&mut app.browser(), allowed).await;
}

async fn refuses_all_but(browser: &mut Browser, allowed: BTreeMap<&str, BTreeSet<&str>>) {
    for (path, methods) in allowed {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if methods.contains(method) {
                continue;
            }
            let method = method.parse().expect("a method");
            let request = browser.request(method, &filled(path));
            let answer = browser.send(request).await;
            let allow = answer.is(405).header("allow").unwrap_or_else(|| panic!("no Allow at {path}"));
            let allow: BTreeSet<&str> = allow.split(',').map(str::trim).collect();
            assert_eq!(allow, methods, "{path}");
        }
    }
}

#[actix_web::test]
async fn head_answers_like_get_without_the_page() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for persona in [Persona::Anonymous, Persona::Admin, Persona::ConfirmedAdmin] {
        let mut browser = browser_of(&app, persona, &ada, &grace).await;
        let rows = every_row();
        let paths = rows.iter().filter(|row| row.method == Method::Get).map(|row| filled(row.path));
        let statics =
            ["/static/app.css", "/static/passkeys.js", "/healthz", "/readyz", "/robots.txt", "/nothing-here"];
        for path in paths.chain(statics.map(str::to_owned)) {
            let get = browser.get(&path).await;
            let request = browser.request(reqwest::Method::HEAD, &path);
            let head = browser.send(request).await;
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
            for name in ["content-type", "location", "cache-control", "content-security-policy", "allow"] {
                assert_eq!(head.header(name), get.header(name), "{name} of {path}");
            }
        }
    }
}

#[actix_web::test]
async fn rows_for_local_mode_exist_nowhere_else() {
    let app = TestApp::spawn_with(|settings| settings.database = Some("somewhere".into()));
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for row in routes::local_table() {
        browser.get(&filled(row.path)).await.is(404);
    }
    browser.get("/home").await.is(200).does_not_say("/dev/");
}

#[test]
fn no_path_is_one_the_platform_keeps_for_itself() {
    for row in every_row() {
        let first = row.path.split('/').nth(1).unwrap_or_default();
        assert!(!["auth", "choreo-apis"].contains(&first), "{}", row.path);
    }
}

#[test]
fn no_two_rows_share_a_path_and_a_method() {
    let rows = every_row();
    let distinct: BTreeSet<String> =
        rows.iter().map(|row| format!("{:?} {}", row.method, row.path)).collect();
    assert_eq!(distinct.len(), rows.len());
}

/// A link or a form in a template or in code, with ids in place of expressions.
struct Reference {
    method: Method,
    path: String,
    place: String,
}

#[test]
fn every_link_and_form_in_the_templates_leads_to_a_row() {
    let references = references();
    assert!(references.len() > 60, "{} found: is the parser broken?", references.len());
    for reference in references {
        let Reference { method, path, place } = reference;
        assert!(leads_somewhere(method, &path), "{method:?} {path} in {place}");
    }
}

#[actix_web::test]
async fn every_link_and_form_on_a_page_leads_somewhere() {
    let app = app();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.logged_in(&grace).await;
    let mut browser = app.logged_in(&grace).await;
    browser.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let mut pages: Vec<String> =
        every_row().iter().filter(|row| row.method == Method::Get).map(|row| row.path.to_owned()).collect();
    pages.retain(|path| !path.contains('{') && !path.starts_with("/api/"));
    pages.push(format!("/admin/users/{}", ada.id));
    let mut followed = BTreeSet::new();
    while let Some(page) = pages.pop() {
        if !followed.insert(page.clone()) {
            continue;
        }
        let answer = browser.get(&page).await;
        let refuses = answer.status == 410 || answer.status == 401 && page.starts_with("/compare/");
        assert!(answer.status < 400 || refuses, "{page} answers {}", answer.status);
        for href in answer.attributes("[href]", "href").into_iter().filter(|href| !href.starts_with('#')) {
            let path = href.strip_prefix(&app.origin).unwrap_or(&href).to_owned();
            assert!(leads_somewhere(Method::Get, &path), "{href} on {page}");
            pages.push(path);
        }
        for form in ["get", "post"] {
            let method = if form == "get" { Method::Get } else { Method::Post };
            for action in answer.attributes(&format!("form[method={form}]"), "action") {
                assert!(leads_somewhere(method, &action), "{form} {action} on {page}");
            }
        }
        assert_eq!(answer.count("form"), answer.count("form[method][action]"), "a form of {page}");
    }
}

fn leads_somewhere(method: Method, reference: &str) -> bool {
    let path = reference.split(['?', '#']).next().unwrap_or_default();
    let outside = [
        "/healthz",
        "/readyz",
        "/robots.txt",
        "/.well-known/change-password",
        "/.well-known/passkey-endpoints",
    ];
    let is_row = |row: &Route| {
        row.method == method
            && row.path.split('/').count() == path.split('/').count()
            && row
                .path
                .split('/')
                .zip(path.split('/'))
                .all(|(want, got)| want.starts_with('{') || want == got)
    };
    let is_static =
        path.strip_prefix("/static/").is_some_and(|name| root().join("static").join(name).exists());
    every_row().iter().any(is_row) || (method == Method::Get && (outside.contains(&path) || is_static))
}

fn references() -> Vec<Reference> {
    let mut found = Vec::new();
    for file in files_below(&root().join("templates")) {
        let text = without_comments(&fs::read_to_string(&file).expect("a template"));
        let place = file.display().to_string();
        for tag in text.split('<').skip(1).map(|rest| rest.split_inclusive('>').collect::<String>()) {
            for (attribute, value) in ["href", "action"].map(|name| (name, attribute(&tag, name))) {
                let Some(value) = value.filter(|value| !value.starts_with('#')) else { continue };
                let posts = attribute == "action" && tag.contains(r#"method="post""#);
                let method = if posts { Method::Post } else { Method::Get };
                found.push(Reference { method, path: with_ids(&value), place: place.clone() });
            }
        }
    }
    for file in files_below(&root().join("src/web")) {
        let text = fs::read_to_string(&file).expect("a source");
        for value in text.split(r#"href: ""#).skip(1) {
            let path = value.split('"').next().unwrap_or_default().to_owned();
            found.push(Reference { method: Method::Get, path, place: file.display().to_string() });
        }
    }
    // Completely computed links are followed on the pages.
    found.retain(|reference| reference.path.starts_with('/') && !reference.path.starts_with("/0000"));
    found
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(r#" {name}=""#))?.1;
    let (mut value, mut depth) = (String::new(), 0);
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('{', Some('{')) => depth += 1,
            ('}', Some('}')) => depth -= 1,
            ('"', _) if depth == 0 => return Some(value),
            _ => {}
        }
        value.push(c);
    }
    None
}

fn with_ids(value: &str) -> String {
    let mut path = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("{{") {
        path.push_str(before);
        path.push_str(&Uuid::nil().to_string());
        rest = after.split_once("}}").map_or("", |(_, rest)| rest);
    }
    path + rest
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{#") {
        kept.push_str(before);
        rest = after.split_once("#}").map_or("", |(_, rest)| rest);
    }
    kept + rest
}

/// The response of each guard to each kind of user, as docs/security.md shows it (ASVS 5.0 8.1.1).
fn who_gets_in_where() -> String {
    let personas =
        EVERYBODY.iter().filter(|persona| !matches!(persona, Persona::CrossSite | Persona::ForeignToken));
    let personas: Vec<Persona> = personas.copied().collect();
    let in_words = |persona: &Persona| {
        let apart = |c: char| if c.is_uppercase() { format!(" {}", c.to_lowercase()) } else { c.to_string() };
        format!("{persona:?}").chars().map(apart).collect::<String>().trim().to_owned()
    };
    let mut table =
        format!("| guard | {} |\n", personas.iter().map(in_words).collect::<Vec<_>>().join(" | "));
    table += &format!("|---|{}\n", "---|".repeat(personas.len()));
    let mut guards: Vec<GuardKind> = Vec::new();
    for row in routes::page_table().iter().filter(|row| !matches!(row.method, Method::Post)) {
        if !guards.contains(&row.guard) {
            guards.push(row.guard);
        }
    }
    for guard in guards {
        let cells = personas.iter().map(|persona| match expected(guard, Method::Get, *persona) {
            Outcome::Admitted => "in",
            Outcome::LogIn => "log in",
            Outcome::Confirm => "confirm",
            Outcome::Forbidden => "no",
        });
        table += &format!("| `{guard:?}` | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}

#[test]
fn the_security_page_says_who_gets_in_where() {
    check_table("docs/security.md", "guards", &who_gets_in_where());
}
