//! Texts that cannot be keys: refused without a query, so the database of these tests is unreachable.

use actix_session::storage::SessionStore as _;
use latchkey_sessions::{Key, Policy, Store};
use test_db::unreachable_db;

use super::room::{ADA, TTL, belonging_to, key, unknown_key};
use crate::support::text_of_key;

fn foreign_keys() -> Vec<String> {
    let almost = "A".repeat(42);
    let mut keys: Vec<String> =
        ["", "a", " ", "\0", "null", "../../etc/passwd", "' OR true --", "é", "🗝", "\u{202e}", "𝐀𝐁𝐂"]
            .map(str::to_owned)
            .into();
    keys.extend([
        almost.clone(),
        format!("{almost}AA"),
        format!("{almost}A="),
        format!("{almost}B"),
        format!("{almost}+"),
        format!(" {almost}"),
        format!("{almost}\n"),
        format!("{almost}é"),
        "é".repeat(43),
        "A".repeat(4064),
        "\u{fffd}".repeat(1354),
        "00000000-0000-0000-0000-000000000ada".into(),
        "ab".repeat(32),
    ]);
    keys
}

#[actix_web::test]
async fn keys_that_cannot_be_ours_open_nothing_and_ask_no_database() {
    let store = Store::builder(unreachable_db()).policy(Policy::default()).build();
    for foreign in foreign_keys() {
        assert!(store.load(&key(&foreign)).await.unwrap().is_none(), "{foreign:?}");
    }
}

#[actix_web::test]
async fn keys_that_cannot_be_ours_change_nothing_and_ask_no_database() {
    let store = Store::builder(unreachable_db()).policy(Policy::default()).build();
    for foreign in foreign_keys() {
        let answer = store.update(key(&foreign), belonging_to(ADA, &[("a", "1")]), &TTL).await.unwrap();
        assert_eq!(answer.as_ref(), foreign);
        store.update_ttl(&key(&foreign), &TTL).await.unwrap();
        store.delete(&key(&foreign)).await.unwrap();
    }
}

#[actix_web::test]
async fn a_key_that_could_be_ours_is_asked_about() {
    let store = Store::builder(unreachable_db()).policy(Policy::default()).build();
    assert!(store.load(&unknown_key()).await.is_err());
}

#[test]
fn a_key_longer_than_any_cookie_is_no_key() {
    assert!(Key::parse(&"A".repeat(4096)).is_none());
    assert!(Key::parse(&"A".repeat(1 << 20)).is_none());
}

/// Otherwise one session would have several keys, only one of which could be revoked by its hash.
#[test]
fn a_key_has_one_spelling() {
    let text = text_of_key(0xff);
    let (body, last) = text.split_at(42);
    assert_eq!(last, "8");
    for other in ["9", "-", "_", "8=", "8 ", " 8"] {
        assert!(Key::parse(&format!("{body}{other}")).is_none(), "{other:?}");
    }
}
