//! Permits, verification, and what is refused.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;

const CHEAP: HashCost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };
const NO: Verification = Verification::NO;
const YES: Verification = Verification { matches: true, ..NO };

/// The hash of `tr0ub4dor&3`.
const BCRYPT: &str = "$2b$04$eHOsBNH0xRmWfH0YmxS8MeA/HmBP9cHbo8qvGRqTZQH/7e8RJPYiO";

fn hasher(permits: usize, queue: usize) -> Hasher {
    Hasher::new(CHEAP, permits, queue).unwrap()
}

fn given(raw: &str) -> Option<Password> {
    Password::given(raw)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[actix_web::test]
async fn a_password_matches_its_own_hash_and_no_other_does() {
    let hasher = hasher(1, 1);
    let stored = hasher.hash(given("caf\u{e9} olive tins").unwrap()).await.unwrap();
    assert!(stored.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    assert_eq!(hasher.verify(given("cafe\u{301} olive tins"), Some(&stored)).await, Ok(YES));
    for wrong in ["cafe olive tins", "Caf\u{e9} olive tins", "caf\u{e9} olive tins ", ""] {
        assert_eq!(hasher.verify(given(wrong), Some(&stored)).await, Ok(NO), "{wrong}");
    }
}

#[actix_web::test]
async fn the_same_password_never_hashes_alike_twice() {
    let hasher = hasher(1, 1);
    let password = given("gravel otter lemon").unwrap();
    let (one, two) = (hasher.hash(password.share()).await.unwrap(), hasher.hash(password).await.unwrap());
    assert!(one.as_str() != two.as_str());
}

#[actix_web::test]
async fn an_unknown_user_and_a_missing_password_are_a_no() {
    let hasher = hasher(1, 1);
    let empty = hasher.hash(given("").unwrap()).await.unwrap();
    assert_eq!(hasher.verify(given("gravel otter lemon"), None).await, Ok(NO));
    assert_eq!(hasher.verify(None, Some(&empty)).await, Ok(NO));
    assert_eq!(hasher.verify(None, None).await, Ok(NO));
}

#[actix_web::test]
async fn a_hash_of_another_cost_matches_and_is_called_outdated() {
    let today = hasher(1, 1);
    for (memory_kib, iterations) in [(32, 1), (128, 1), (64, 2)] {
        let then = Hasher::new(HashCost { memory_kib, iterations, parallelism: 1 }, 1, 1).unwrap();
        let stored = then.hash(given("gravel otter lemon").unwrap()).await.unwrap();
        let verdict = today.verify(given("gravel otter lemon"), Some(&stored)).await;
        assert_eq!(verdict, Ok(Verification { outdated: true, ..YES }));
        assert_eq!(today.verify(given("lemon otter gravel"), Some(&stored)).await, Ok(NO));
    }
}

#[actix_web::test]
async fn an_unreadable_hash_denies_and_says_so() {
    let hasher = hasher(1, 1);
    for broken in ["", "$", "plain text", "$2b$04$short"] {
        let verdict = hasher.verify(given(broken), Some(&PasswordHash::stored(broken))).await;
        assert_eq!(verdict, Ok(Verification { unreadable: true, ..NO }), "{broken}");
    }
}

#[actix_web::test]
async fn a_hash_from_elsewhere_matches_and_is_outdated_and_a_stand_in_never_matches() {
    let hasher = hasher(1, 1);
    let legacy = PasswordHash::stored(BCRYPT);
    let outdated = Verification { outdated: true, ..YES };
    assert_eq!(hasher.verify(given("tr0ub4dor&3"), Some(&legacy)).await, Ok(outdated));
    assert_eq!(hasher.verify(given("tr0ub4dor&4"), Some(&legacy)).await, Ok(NO));
    assert_eq!(hasher.verify(None, Some(&legacy)).await, Ok(NO));
    assert_eq!(hasher.reject(given("tr0ub4dor&3"), Some(&legacy)).await, Ok(NO));
    assert_eq!(hasher.reject(given("tr0ub4dor&3"), None).await, Ok(NO));
}

#[actix_web::test]
async fn a_stored_hash_over_the_limit_denies_at_once_and_says_why() {
    let hasher = hasher(1, 1);
    // If it were computed, this would be its password.
    let costly = [
        BCRYPT.replace("$04$", "$31$"),
        "pbkdf2_sha256$4000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned(),
        "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
    ];
    for stored in costly.map(PasswordHash::stored) {
        let _all = hasher.legacy.acquire(1, &hasher.refused).await.unwrap();
        let verdict = hasher.verify(given("tr0ub4dor&3"), Some(&stored)).await;
        assert_eq!(verdict, Ok(Verification { too_costly: true, ..NO }));
        assert_eq!(hasher.reject(given("tr0ub4dor&3"), Some(&stored)).await, Ok(NO));
    }
}

#[actix_web::test]
async fn hashes_of_other_software_never_take_the_permits_of_ours() {
    let hasher = hasher(1, 1);
    let (ours, theirs) = (hasher.hash(given("gravel").unwrap()).await.unwrap(), PasswordHash::stored(BCRYPT));
    let running = hasher.legacy.acquire(1, &hasher.refused).await.unwrap();
    let mut waiting = pin!(hasher.verify(given("tr0ub4dor&3"), Some(&theirs)));
    assert!(poll(waiting.as_mut()).is_pending());
    // A decoy waits in the same queue as the hash it stands in for.
    assert_eq!(hasher.reject(given("gravel"), Some(&theirs)).await, Err(BUSY));
    assert_eq!(hasher.verify(given("gravel"), Some(&ours)).await, Ok(YES));
    assert_eq!(hasher.reject(given("gravel"), None).await, Ok(NO));
    assert_eq!(hasher.load(), HasherLoad { running: 1, waiting: 1 });
    drop(running);
    assert_eq!(waiting.await, Ok(Verification { outdated: true, ..YES }));
}

#[actix_web::test]
async fn one_that_takes_more_memory_than_ours_runs_alone_among_its_kind() {
    let hasher = hasher(4, 4);
    let large = PasswordHash::stored("$argon2d$v=19$m=4096,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA");
    let small = hasher.legacy.acquire(1, &hasher.refused).await.unwrap();
    let mut waiting = pin!(hasher.verify(given("gravel"), Some(&large)));
    assert!(poll(waiting.as_mut()).is_pending());
    drop(small);
    assert_eq!(waiting.await, Ok(NO));
    assert_eq!([1, 2, 3, 8].map(legacy_permits), [1, 1, 1, 4]);
}

#[actix_web::test]
async fn the_caller_after_a_full_queue_is_turned_away_at_once() {
    let hasher = hasher(1, 2);
    let running = hasher.own.acquire(1, &hasher.refused).await.unwrap();
    let mut second = pin!(hasher.verify(None, None));
    let mut third = pin!(hasher.verify(None, None));
    assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
    assert_eq!(hasher.load(), HasherLoad { running: 1, waiting: 2 });
    assert_eq!(poll(pin!(hasher.verify(None, None))), Poll::Ready(Err(BUSY)));
    assert_eq!((hasher.refused.full.get(), hasher.refused.slow.get()), (1, 0));
    drop(running);
    assert_eq!((second.await, third.await), (Ok(NO), Ok(NO)));
    assert_eq!(hasher.load(), HasherLoad { running: 0, waiting: 0 });
}

#[actix_web::test]
async fn a_caller_that_stops_waiting_leaves_the_queue() {
    let hasher = hasher(1, 1);
    let _running = hasher.own.acquire(1, &hasher.refused).await.unwrap();
    {
        let mut leaving = pin!(hasher.verify(None, None));
        assert!(poll(leaving.as_mut()).is_pending());
        assert_eq!(poll(pin!(hasher.verify(None, None))), Poll::Ready(Err(BUSY)));
    }
    assert_eq!(hasher.load(), HasherLoad { running: 1, waiting: 0 });
    assert!(poll(pin!(hasher.verify(None, None))).is_pending());
}

#[actix_web::test]
async fn a_turn_that_does_not_come_in_time_is_given_up() {
    let mut hasher = hasher(1, 1);
    hasher.own.max_wait = Duration::ZERO;
    let running = hasher.own.acquire(1, &hasher.refused).await.unwrap();
    assert_eq!(hasher.verify(None, None).await, Err(BUSY));
    assert_eq!((hasher.refused.full.get(), hasher.refused.slow.get()), (0, 1));
    drop(running);
    assert_eq!(hasher.verify(None, None).await, Ok(NO));
}

#[actix_web::test]
async fn a_request_dropped_midway_keeps_its_permit_until_its_hash_ends() {
    let hasher = hasher(1, 0);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    {
        let mut dropped = pin!(hasher.with_permits(&hasher.own, 1, move || ended.recv()));
        assert!(poll(dropped.as_mut()).is_pending());
    }
    assert_eq!(hasher.verify(None, None).await, Err(BUSY));
    end.send(()).unwrap();
    while hasher.load().running > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(hasher.verify(None, None).await, Ok(NO));
}

#[actix_web::test]
async fn a_panic_while_hashing_denies_and_frees_its_permit() {
    let hasher = hasher(1, 0);
    assert_eq!(
        hasher.with_permits(&hasher.own, 1, || -> Verification { panic!("on purpose") }).await,
        Err(BUSY)
    );
    assert_eq!(hasher.verify(None, None).await, Ok(NO));
}

#[actix_web::test]
async fn many_callers_at_once_share_the_working_memory_without_mixing() {
    let hasher = hasher(2, 64);
    let stored = hasher.hash(given("gravel otter lemon").unwrap()).await.unwrap();
    let calls = (0..32).map(|n| {
        let (hasher, stored) = (hasher.clone(), stored.clone());
        actix_web::rt::spawn(async move {
            let raw = if n % 2 == 0 { "gravel otter lemon" } else { "lemon otter gravel" };
            (n % 2 == 0, hasher.verify(Password::given(raw), Some(&stored)).await.unwrap().matches)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (expected, matches) = call.await.unwrap();
        assert_eq!(matches, expected);
    }
}
