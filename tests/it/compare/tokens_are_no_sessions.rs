//! No route of the product accepts a valid JSON Web Token, in any cookie or header.

use std::fs;
use std::path::Path;

use latchkey::lab::jwt::{self, Algorithm, Claims, JwtKey, TokenUse, Verifier};
use latchkey::web::routes::{self, Method, Route};
use reqwest::header::LOCATION;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};

/// Valid tokens for `person`, one of each algorithm.
fn tokens(app: &TestApp, person: &Person) -> [String; 2] {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let claims = Claims {
        iss: app.origin.clone(),
        aud: vec![app.origin.clone()],
        sub: person.id.to_string(),
        iat: now,
        exp: now + 3600,
        jti: Uuid::new_v4().to_string(),
        role: "admin".into(),
    };
    [Algorithm::Hs256, Algorithm::EdDsa].map(|algorithm| {
        let key = JwtKey::new(algorithm, "lab", &[7; 32]);
        let token = jwt::sign(&key, TokenUse::Access, &claims).expect("a token");
        let verifier = Verifier::new(algorithm, vec![key.public()], &app.origin, &app.origin);
        assert_eq!(verifier.verify(TokenUse::Access, &token, now), Ok(claims.clone()));
        token
    })
}

/// Every cookie of the product, read from the source, without the prefix; and names that others use for tokens.
fn cookie_names() -> Vec<String> {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/http/shared.rs")).unwrap();
    let named = source.split("format!(\"{prefix}").skip(1);
    let mut names: Vec<String> = named.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    assert!(names.len() >= 5 && names.contains(&"latchkey".to_owned()), "{names:?}");
    names.extend(["jwt", "token", "access_token", "__Host-latchkey"].map(str::to_owned));
    names
}

/// The comparable part of an answer: without what changes with every request.
fn seen(answer: &Answer) -> (u16, String, String) {
    let location = answer.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap());
    let main = answer.text("main").unwrap_or_else(|| answer.body.clone());
    // An error page ends with the request's id.
    let main = main.split("include this code:").next().unwrap_or_default().to_owned();
    // An export lists earlier exports, so only its owner is compared.
    let json = serde_json::from_str::<Value>(&main);
    let main = json.map_or(main, |json| json["profile"].to_string());
    (answer.status, location.to_owned(), main)
}

async fn ask(browser: &mut Browser, row: &Route, path: &str) -> Answer {
    match row.method {
        Method::Get => browser.get(path).await,
        _ => browser.post_bare(path, &[]).await,
    }
}

/// Every row with a path, in which each id is unknown.
fn rows() -> Vec<(Route, String)> {
    let mut rows = routes::page_table();
    rows.extend(routes::local_table());
    let path = |row: &Route| {
        let part = |part: &str| if part.starts_with('{') { Uuid::nil().to_string() } else { part.into() };
        row.path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    rows.into_iter()
        .map(|row| {
            let path = path(&row);
            (row, path)
        })
        .collect()
}

#[actix_web::test]
async fn a_valid_token_in_any_cookie_or_header_changes_no_answer() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let tokens = tokens(&app, &grace);
    let before = app.dump();
    let mut wrong = Vec::new();
    for (row, path) in rows() {
        let plain = seen(&ask(&mut app.browser(), &row, &path).await);
        // A browser with cookies may get another answer than one without.
        let mut worthless = app.browser();
        for name in cookie_names() {
            worthless.cookies.insert(name, "worthless".into());
        }
        let with_cookies = seen(&ask(&mut worthless, &row, &path).await);
        for token in &tokens {
            let mut bearer = app.browser();
            bearer.headers.push(("authorization", format!("Bearer {token}")));
            let mut everywhere = app.browser();
            everywhere.headers.push(("authorization", format!("Bearer {token}")));
            for name in cookie_names() {
                everywhere.cookies.insert(name, token.clone());
            }
            for (browser, plain) in [(&mut bearer, &plain), (&mut everywhere, &with_cookies)] {
                let got = seen(&ask(browser, &row, &path).await);
                if got != *plain {
                    wrong.push(format!("{:?} {path}: {got:?} instead of {plain:?}", row.method));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(app.dump(), before);
}

#[actix_web::test]
async fn a_valid_token_beside_a_session_grants_nothing() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let [token, _] = tokens(&app, &grace);
    for (row, path) in rows().into_iter().filter(|(row, _)| row.method == Method::Get) {
        let plain = seen(&browser.get(&path).await);
        let mut other = browser.copy();
        other.headers.push(("authorization", format!("Bearer {token}")));
        for name in cookie_names().into_iter().filter(|name| name != "latchkey") {
            other.cookies.insert(name, token.clone());
        }
        assert_eq!(seen(&other.get(&path).await), plain, "{:?} {path}", row.guard);
    }
    assert!(browser.is_in().await);
}
