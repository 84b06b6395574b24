//! Credentials of the lab with one defect each: every one is refused, for the right reason.

use latchkey::lab::jwt::{self, Algorithm, Claims, JwtKey, TokenUse};
use latchkey::secret::Secret;
use serde_json::Value;
use time::OffsetDateTime;

use super::{SESSION, TOKEN, role_at, start_run, verdict_at};
use crate::support::app::TestApp;

/// The secret in the settings of the tests, from which the lab derives its signing keys.
fn secret() -> Secret {
    Secret::parse("only-for-tests-0123456789-abcdefghijkl").unwrap()
}

fn seed(run: &str, algorithm: Algorithm) -> [u8; 32] {
    let run: uuid::Uuid = run.parse().unwrap();
    secret().mac("lab-signing-key", &[run.as_bytes(), algorithm.name().as_bytes(), b"1"])
}

fn payload(token: &str) -> Value {
    serde_json::from_str(&jwt::read(token).expect("a readable token").payload).unwrap()
}

/// Each differs in one respect from a token that is accepted.
#[actix_web::test]
async fn a_token_with_one_defect_is_refused_for_that_defect() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    let held = browser.cookies["latchkey-lab-access"].clone();
    let mine: Claims = serde_json::from_value(payload(&held)).unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let good = JwtKey::new(Algorithm::EdDsa, "lab-eddsa-1", &seed(&mine.sub, Algorithm::EdDsa));
    let shared = JwtKey::new(Algorithm::Hs256, "lab-hs256-1", &seed(&mine.sub, Algorithm::Hs256));
    let renamed = JwtKey::new(Algorithm::Hs256, "lab-eddsa-1", &seed(&mine.sub, Algorithm::Hs256));
    let stranger = JwtKey::new(Algorithm::EdDsa, "lab-eddsa-1", &[7; 32]);
    let unknown = JwtKey::new(Algorithm::EdDsa, "lab-eddsa-9", &seed(&mine.sub, Algorithm::EdDsa));
    let with = |change: fn(&mut Claims, i64)| {
        let mut claims = mine.clone();
        change(&mut claims, now);
        claims
    };
    let sign = |key: &JwtKey, claims: &Claims| jwt::sign(key, TokenUse::Access, claims).unwrap();
    let [header, body, signature] = held.split('.').collect::<Vec<_>>()[..] else { panic!("{held}") };
    let none = latchkey::secret::encode(br#"{"typ":"at+jwt","alg":"none","kid":"lab-eddsa-1"}"#);
    let richer = latchkey::secret::encode(payload(&held).to_string().replace("member", "admin").as_bytes());
    let wrong = [
        ("token-algorithm", format!("{none}.{body}.")),
        ("token-algorithm", format!("{none}.{body}.{signature}")),
        ("token-signature", format!("{header}.{richer}.{signature}")),
        ("token-signature", format!("{header}.{body}.")),
        ("token-algorithm", sign(&shared, &mine)),
        ("token-algorithm", sign(&renamed, &mine)),
        ("token-signature", sign(&stranger, &mine)),
        ("token-unknown-key", sign(&unknown, &mine)),
        ("token-expired", sign(&good, &with(|claims, now| claims.exp = now - 1))),
        ("token-not-yet-valid", sign(&good, &with(|claims, now| claims.iat = now + 86_400))),
        ("token-audience", sign(&good, &with(|claims, _| claims.aud = vec!["desk".into()]))),
        ("token-issuer", sign(&good, &with(|claims, _| claims.iss = "elsewhere".into()))),
        ("token-unreadable", sign(&good, &with(|claims, _| claims.role = "root".into()))),
        (
            "token-of-other-subject",
            sign(&good, &with(|claims, _| claims.sub = uuid::Uuid::nil().to_string())),
        ),
        ("token-type", browser.cookies["latchkey-lab-refresh"].clone()),
    ];
    browser.headers.push(("authorization", format!("Bearer {}", sign(&good, &mine))));
    assert_eq!(role_at(&mut browser, TOKEN).await.as_deref(), Some("member"), "the token without a defect");
    for (reason, token) in wrong {
        browser.headers[0].1 = format!("Bearer {token}");
        assert_eq!(verdict_at(&mut browser, TOKEN).await, (None, reason.to_owned()), "{token}");
    }
}

#[actix_web::test]
async fn a_stored_hash_a_bare_key_and_a_key_of_another_run_are_refused() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    // What a thief of the table finds there.
    let hash: String = app.db.scalar("SELECT encode(key_hash, 'base64') FROM sessions WHERE kind = 'lab'");
    let hash = hash.replace('+', "-").replace('/', "_").replace('=', "");
    let signer = latchkey::secret::CookieSigner::new(&secret());
    let mine = browser.cookies.insert("latchkey-lab-session".into(), signer.sign(&hash)).unwrap();
    assert_eq!(verdict_at(&mut browser, SESSION).await, (None, "session-unknown".to_owned()));
    browser.cookies.insert("latchkey-lab-session".into(), mine[mine.len() - 43..].to_owned());
    assert_eq!(verdict_at(&mut browser, SESSION).await, (None, "session-unsigned".to_owned()));
    let other = start_run(&app).await;
    browser.cookies.insert("latchkey-lab-session".into(), other.cookies["latchkey-lab-session"].clone());
    assert_eq!(verdict_at(&mut browser, SESSION).await, (None, "session-unknown".to_owned()));
}
