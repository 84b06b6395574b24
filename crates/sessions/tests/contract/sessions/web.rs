//! The sessions as a browser sees them: through actix-session and actix-identity.

use actix_web::cookie::Cookie;
use futures_util::future::join_all;
use latchkey_sessions::{Policy, Store};
use test_db::unreachable_db;

use super::app::{Act, Site};
use super::room::{ADA, GRACE, Room};
use crate::support::{bytes_of_key, text_of_key};

#[actix_web::test]
async fn a_user_who_logs_in_is_known_from_then_on() {
    let room = Room::new();
    let site = Site::of(&room).await;
    for log_in in [Act::LogIn(ADA), Act::Open(ADA)] {
        let cookie = site.send(log_in, None).await.cookie.unwrap();
        assert_eq!(site.who(&cookie).await, ADA.to_string());
    }
    assert_eq!(room.live_rows(), 2);
}

#[actix_web::test]
async fn nothing_anonymous_reads_or_writes_the_table() {
    let site = Site::new(&Store::builder(unreachable_db()).owner().policy(Policy::default()).build()).await;
    for act in [Act::Look, Act::Renew, Act::LogOut, Act::Clear, Act::Rotate] {
        let answer = site.send(act, None).await;
        assert_eq!(answer.status, 200, "{act:?}");
        assert!(answer.cookie.is_none());
    }
}

#[actix_web::test]
async fn a_forged_cookie_reaches_no_database() {
    let site = Site::new(&Store::builder(unreachable_db()).owner().policy(Policy::default()).build()).await;
    let key = text_of_key(7);
    for value in ["", "x", &key, &format!("{}{key}", "A".repeat(44)), &"A".repeat(4000)] {
        let answer = site.send(Act::Look, Some(&Cookie::new("id", value.to_owned()))).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
}

#[actix_web::test]
async fn a_cookie_with_one_letter_changed_opens_nothing() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let value = cookie.value();
    for at in [0, 20, 43, 44, 60, value.len() - 1] {
        let mut bytes = value.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = Cookie::new("id", String::from_utf8(bytes).unwrap());
        assert_eq!(site.who(&forged).await, "", "{at}");
    }
    assert_eq!(site.who(&cookie).await, ADA.to_string());
}

#[actix_web::test]
async fn a_word_put_into_the_session_is_there_in_the_next_request() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let answer = site.send(Act::Put, Some(&cookie)).await;
    assert_eq!(answer.cookie.as_ref().unwrap().value(), cookie.value());
    assert_eq!(site.who(&cookie).await, format!("{ADA} put"));
}

#[actix_web::test]
async fn a_state_without_a_principal_is_not_kept() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let answer = site.send(Act::Put, None).await;
    assert_eq!((answer.status, answer.cookie), (500, None));
    assert_eq!(room.rows(), 0);
}

#[actix_web::test]
async fn logging_in_again_ends_the_session_before() {
    for log_in in [Act::LogIn(ADA), Act::Open(ADA), Act::LogIn(GRACE), Act::Open(GRACE)] {
        let room = Room::new();
        let site = Site::of(&room).await;
        let first = site.log_in(ADA).await;
        let second = site.send(log_in, Some(&first)).await.cookie.unwrap();
        assert_ne!(first.value(), second.value());
        assert_eq!(site.who(&first).await, "", "{log_in:?}");
        assert_ne!(site.who(&second).await, "");
        assert_eq!((room.rows(), room.live_rows()), (2, 1));
    }
}

#[actix_web::test]
async fn a_key_planted_before_the_login_opens_nothing_after_it() {
    let room = Room::new();
    let site = Site::of(&room).await;
    // The attacker's own session, in the victim's browser.
    let planted = site.log_in(GRACE).await;
    let victims = site.send(Act::Open(ADA), Some(&planted)).await.cookie.unwrap();
    assert_eq!(site.who(&planted).await, "");
    assert_eq!(site.who(&victims).await, ADA.to_string());
}

#[actix_web::test]
async fn logging_out_ends_the_session_and_leaves_a_tombstone() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let answer = site.send(Act::LogOut, Some(&cookie)).await;
    assert!(answer.cookie.unwrap().max_age().unwrap().is_zero());
    assert_eq!(site.who(&cookie).await, "");
    assert_eq!((room.rows(), room.live_rows()), (1, 0));
}

#[actix_web::test]
async fn clearing_the_session_logs_out() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    site.send(Act::Clear, Some(&cookie)).await;
    assert_eq!(site.who(&cookie).await, "");
    assert_eq!((room.rows(), room.live_rows()), (1, 0));
}

#[actix_web::test]
async fn renewing_is_a_new_session_with_the_old_state() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let old = site.log_in(ADA).await;
    site.send(Act::Put, Some(&old)).await;
    let handle = site.send(Act::Handle, Some(&old)).await.body;
    let new = site.send(Act::Renew, Some(&old)).await.cookie.unwrap();
    assert_eq!(site.who(&old).await, "");
    assert_eq!(site.who(&new).await, format!("{ADA} put"));
    assert_ne!(site.send(Act::Handle, Some(&new)).await.body, handle);
    assert_eq!((room.rows(), room.live_rows()), (2, 1));
}

#[actix_web::test]
async fn rotating_is_the_same_session_under_a_new_key() {
    for rotate in [Act::Rotate, Act::RotateAndRenew] {
        let room = Room::new();
        let site = Site::of(&room).await;
        let old = site.log_in(ADA).await;
        let handle = site.send(Act::Handle, Some(&old)).await.body;
        let new = site.send(rotate, Some(&old)).await.cookie.unwrap();
        assert_eq!(site.who(&old).await, "");
        assert_eq!(site.who(&new).await, format!("{ADA} rotated"), "{rotate:?}");
        assert_eq!(site.send(Act::Handle, Some(&new)).await.body, handle);
        assert_eq!((room.rows(), room.live_rows()), (1, 1));
    }
}

#[actix_web::test]
async fn a_remembered_session_tells_how_long_the_browser_shall_keep_its_key() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let plain = site.log_in(ADA).await;
    assert_eq!(site.who(&plain).await, ADA.to_string());
    let month = room.sessions.policy().absolute(true).as_secs();
    let answer = site.send(Act::OpenRemembered(ADA), None).await;
    assert!(answer.body.ends_with(&format!(" {month}")), "{}", answer.body);
    let remembered = answer.cookie.unwrap();
    assert_eq!(site.who(&remembered).await, format!("{ADA}  {month}"));
    let rotated = site.send(Act::Rotate, Some(&remembered)).await;
    assert_eq!(rotated.body, format!("{ADA} rotated {month}"));
}

#[actix_web::test]
async fn of_the_key_in_the_cookie_only_the_hash_is_in_the_table() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let first = site.send(Act::Open(ADA), None).await;
    let second = site.send(Act::Rotate, first.cookie.as_ref()).await;
    for key in [first.key(), second.key()] {
        assert!(bytes_of_key(&key).is_some());
        assert!(!room.table().contains(&key));
    }
}

#[actix_web::test]
async fn while_the_database_is_away_no_one_is_admitted_and_no_one_logged_out() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    room.db.cut_off();
    let requests = [
        (Act::Look, Some(&cookie)),
        (Act::Put, Some(&cookie)),
        (Act::LogOut, Some(&cookie)),
        (Act::LogIn(ADA), None),
    ];
    for answer in join_all(requests.map(|(act, cookie)| site.send(act, cookie))).await {
        assert_eq!((answer.status, answer.body.as_str()), (503, ""));
        assert!(answer.cookie.is_none(), "the browser keeps what it has");
    }
    room.db.restore();
    assert_eq!(site.who(&cookie).await, ADA.to_string());
    assert_eq!(room.live_rows(), 1);
}
