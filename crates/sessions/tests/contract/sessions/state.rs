//! The state map survives jsonb, with every kind of content.

use actix_session::storage::SessionStore as _;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::room::{ADA, IDENTITY, Map, Room, TTL, belonging_to, copy, map};

#[actix_web::test]
async fn a_state_that_is_no_map_of_strings_reads_as_empty_and_the_session_lives() {
    let room = Room::new();
    let key = room.log_in(ADA).await;
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let nested = format!("{{\"a\": {}{{}}{}}}", "{\"b\":".repeat(300), "}".repeat(300));
    for foreign in [
        "[]",
        "[1, \"a\"]",
        "7",
        "null",
        "true",
        "\"text\"",
        "{\"a\": 1}",
        "{\"a\": null}",
        "{\"a\": {\"b\": {}}}",
        "{\"a\": \"1\", \"b\": []}",
        "{\"actix_identity.user_id\": 7}",
        "1e400",
        "{\"a\": 1e400}",
        "-0.0000000000000000000000000000000000000000000000000000000000000000000001",
        &deep,
        &nested,
    ] {
        room.db.execute(&format!("UPDATE sessions SET state = '{foreign}'"));
        assert_eq!(room.load(&key).await, Some(belonging_to(ADA, &[])), "{foreign}");
        assert_eq!(room.list(latchkey_sessions::Scope::All, 9, 0).len(), 1);
    }
    let state = belonging_to(ADA, &[("a", "1")]);
    room.update(&key, state.clone()).await;
    assert_eq!(room.load(&key).await, Some(state));
}

/// jsonb cannot contain NUL. actix-session writes values as JSON, which escapes it.
#[actix_web::test]
async fn a_nul_is_refused_cleanly_and_fine_where_it_is_spelt_out() {
    let room = Room::new();
    let key = room.store().save(belonging_to(ADA, &[("a", "1")]), &TTL).await.unwrap();
    let before = room.table();
    for entry in [("\0", "1"), ("a", "\0"), ("a\0b", "x\0y")] {
        let state = belonging_to(ADA, &[entry]);
        assert!(room.store().update(copy(&key), state.clone(), &TTL).await.is_err());
        assert!(room.store().save(state, &TTL).await.is_err());
        assert_eq!(room.table(), before, "{entry:?}");
    }
    let spelt = belonging_to(ADA, &[("a", &serde_json::to_string("\0").unwrap())]);
    room.update(&key, spelt.clone()).await;
    assert_eq!(room.load(&key).await, Some(spelt));
}

#[actix_web::test]
async fn names_that_mean_something_elsewhere_mean_nothing_here() {
    let room = Room::new();
    let entries = [
        ("__proto__", "1"),
        ("", ""),
        ("' OR 1=1 --", "$1"),
        ("principal", "\"x\""),
        ("\\u0000", "\\u0000"),
        ("\u{ffff}", "\u{10ffff}"),
        ("e\u{301}", "\u{e9}"),
        ("\u{e9}", "not the one before"),
    ];
    let state = belonging_to(ADA, &entries);
    let key = room.store().save(state.clone(), &TTL).await.unwrap();
    assert_eq!(room.load(&key).await, Some(state));
}

/// A state is loaded as it was saved, or saving was refused and changed nothing.
#[test]
fn any_state_comes_back_as_it_was_or_is_refused() {
    let runtime = actix_web::rt::System::new();
    let room = Room::new();
    let mut kept = map(&[]);
    let key = runtime.block_on(room.log_in(ADA));
    // One after the other in the same row, so each begins with the state of the previous one.
    let mut runner = TestRunner::new(Config {
        cases: 256,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let kept = std::cell::RefCell::new(&mut kept);
    let result = runner.run(&any_state(), |state| {
        runtime.block_on(async {
            let refused = is_too_large(&state) || has_nul(&state);
            let mut whole = state.clone();
            whole.insert(IDENTITY.into(), format!("\"{ADA}\""));
            let answer = room.store().update(copy(&key), whole, &TTL).await;
            prop_assert_eq!(answer.is_err(), refused);
            if !refused {
                **kept.borrow_mut() = state;
            }
            let mut loaded = room.load(&key).await.ok_or_else(|| TestCaseError::fail("it is gone"))?;
            prop_assert_eq!(loaded.remove(IDENTITY), Some(format!("\"{}\"", ADA)));
            prop_assert_eq!(&loaded, &**kept.borrow());
            Ok(())
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

fn any_state() -> impl Strategy<Value = Map> {
    let text = prop_oneof![
        4 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        2 => any::<String>(),
        2 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => vec(prop_oneof![Just('"'), Just('\\'), Just('u'), Just('0'), Just('\u{1}'), Just('{')], 0..40).prop_map(String::from_iter),
        1 => (0..4200_usize).prop_map(|length| "x".repeat(length)),
        1 => (any::<String>(), any::<String>()).prop_map(|(before, after)| format!("{before}\0{after}")),
    ];
    hash_map(text.clone(), text, 0..5)
}

fn is_too_large(state: &Map) -> bool {
    state.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > 4096
}

fn has_nul(state: &Map) -> bool {
    state.iter().any(|(key, value)| key.contains('\0') || value.contains('\0'))
}
