//! A request whose session ends while it runs may finish, but changes nothing.

use latchkey_sessions::Handle;

use super::app::{Act, Answer, Site};
use super::room::{ADA, GRACE, LIVE, Room};

/// What a request might do that writes to its session.
const WRITES: [Act; 6] = [Act::Put, Act::Renew, Act::Rotate, Act::RotateAndRenew, Act::Clear, Act::LogOut];

#[actix_web::test]
async fn a_revoked_session_is_not_brought_back_by_a_request_under_way() {
    type End = fn(&Room, Handle);
    let ends: [(&str, End); 5] = [
        ("revoked", |room, handle| assert_eq!(room.revoke(handle, Some(ADA)), Some(ADA))),
        ("revoked by an admin", |room, handle| assert_eq!(room.revoke(handle, None), Some(ADA))),
        ("revoked with all others", |room, _| assert_eq!(room.revoke_all(ADA, None), 1)),
        ("expired", |room, _| room.db.execute("UPDATE sessions SET expires_at = now() - interval '1 ms'")),
        ("swept", |room, _| room.db.execute("DELETE FROM sessions")),
    ];
    let room = Room::new();
    let site = Site::of(&room).await;
    for (how, end) in ends {
        for act in WRITES {
            room.db.execute("DELETE FROM sessions");
            let cookie = site.log_in(ADA).await;
            let handle: Handle = site.send(Act::Handle, Some(&cookie)).await.body.parse().unwrap();
            let mut after_the_end = String::new();
            let answer = site
                .send_while(act, &cookie, async || {
                    end(&room, handle);
                    after_the_end = room.table();
                })
                .await;
            assert_eq!(answer.status, 200, "{how}, {act:?}");
            assert_eq!(room.live_rows(), 0, "{how}, {act:?}");
            assert_eq!(room.table(), after_the_end, "{how}, {act:?}");
            assert_eq!(site.who(&cookie).await, "", "{how}, {act:?}");
            assert_opens_nothing(&site, &answer).await;
        }
    }
}

#[actix_web::test]
async fn a_session_revoked_after_the_rotation_is_dead_though_the_new_key_is_on_its_way() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let answer = site.send(Act::Rotate, Some(&cookie)).await;
    assert_eq!(room.revoke_all(ADA, None), 1);
    assert_opens_nothing(&site, &answer).await;
}

#[actix_web::test]
async fn of_two_requests_that_rotate_one_gets_a_key() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let mut winner = None;
    let loser = site
        .send_while(Act::Rotate, &cookie, async || {
            winner = site.send(Act::Rotate, Some(&cookie)).await.cookie
        })
        .await;
    assert_eq!(loser.body, "lost");
    assert!(loser.cookie.is_none());
    assert_eq!(site.who(&winner.unwrap()).await, format!("{ADA} rotated"));
    assert_eq!(room.live_rows(), 1);
}

#[actix_web::test]
async fn of_two_requests_that_renew_one_gets_a_session() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let mut winner = None;
    let loser = site
        .send_while(Act::Renew, &cookie, async || winner = site.send(Act::Renew, Some(&cookie)).await.cookie)
        .await;
    assert_opens_nothing(&site, &loser).await;
    assert_eq!(site.who(&winner.unwrap()).await, ADA.to_string());
    assert_eq!(room.live_rows(), 1);
}

/// Two tabs: one logs out while the other confirms the password.
#[actix_web::test]
async fn logging_out_ends_the_session_though_another_request_rotated_its_key() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let mut rotated = None;
    site.send_while(Act::LogOut, &cookie, async || {
        rotated = site.send(Act::Rotate, Some(&cookie)).await.cookie
    })
    .await;
    assert_eq!(room.live_rows(), 0);
    assert_eq!(site.who(&rotated.unwrap()).await, "");
}

#[actix_web::test]
async fn logging_in_ends_the_session_before_though_another_request_rotated_its_key() {
    for log_in in [Act::LogIn(GRACE), Act::Open(GRACE)] {
        let room = Room::new();
        let site = Site::of(&room).await;
        let cookie = site.log_in(ADA).await;
        let mut rotated = None;
        let answer = site
            .send_while(log_in, &cookie, async || {
                rotated = site.send(Act::Rotate, Some(&cookie)).await.cookie
            })
            .await;
        assert_eq!(site.who(&rotated.unwrap()).await, "", "{log_in:?}");
        assert_eq!(site.who(&answer.cookie.unwrap()).await, GRACE.to_string());
        assert_eq!(room.rows_where(&format!("{LIVE} AND principal = '{GRACE}'")), 1);
        assert_eq!(room.live_rows(), 1);
    }
}

#[actix_web::test]
async fn a_late_change_of_state_does_not_undo_a_rotation() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let mut rotated = None;
    let late = site
        .send_while(Act::Put, &cookie, async || rotated = site.send(Act::Rotate, Some(&cookie)).await.cookie)
        .await;
    assert_opens_nothing(&site, &late).await;
    assert_eq!(site.who(&rotated.unwrap()).await, format!("{ADA} rotated"));
}

#[actix_web::test]
async fn a_log_in_proven_while_the_session_before_was_revoked_counts() {
    let room = Room::new();
    let site = Site::of(&room).await;
    let cookie = site.log_in(ADA).await;
    let answer =
        site.send_while(Act::Open(ADA), &cookie, async || assert_eq!(room.revoke_all(ADA, None), 1)).await;
    assert_eq!(site.who(&answer.cookie.unwrap()).await, ADA.to_string());
    assert_eq!(room.live_rows(), 1);
}

async fn assert_opens_nothing(site: &Site, answer: &Answer) {
    if let Some(cookie) = &answer.cookie {
        assert_eq!(site.who(cookie).await, "");
    }
}
