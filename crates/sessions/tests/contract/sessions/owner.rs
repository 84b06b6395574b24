//! Every load reads the owner's state through the application.

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::sql_types::Bool;
use diesel::{RunQueryDsl as _, select};
use latchkey_db::Fault;
use latchkey_sessions::{KeyHash, LiveSession, Owner, Policy, Principal, live};

use super::room::{ADA, GRACE, Room, belonging_to};

/// A user in the application's own table.
struct Member {
    id: Principal,
}

impl Owner for Member {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let mut members = Vec::new();
        for row in live::<Self>(conn, keys)? {
            let id = row.record.principal;
            let is_member = format!("EXISTS (SELECT FROM members WHERE id = '{id}')");
            if select(sql::<Bool>(&is_member)).get_result(conn)? {
                members.push(row.owned_by(Self { id }));
            }
        }
        Ok(members)
    }
}

/// An owner whose session ends while it is loaded, before the touch.
struct TooLate;

impl Owner for TooLate {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        let rows = live::<Self>(conn, keys)?;
        conn.batch_execute("UPDATE sessions SET expires_at = now() - interval '1 ms'")?;
        Ok(rows.into_iter().map(|row| row.owned_by(Self)).collect())
    }
}

fn room() -> Room<Member> {
    let room = Room::with_owners(Policy::default());
    room.db.execute(&format!(
        "CREATE TABLE members (id uuid); INSERT INTO members VALUES ('{ADA}'), ('{GRACE}')"
    ));
    room
}

#[actix_web::test]
async fn a_session_comes_with_its_owner() {
    let room = room();
    let key = room.log_in(GRACE).await;
    assert_eq!(room.find(&key).await.unwrap().owner.id, GRACE);
}

#[actix_web::test]
async fn a_session_whose_owner_may_not_log_in_is_invisible() {
    let room = room();
    let (adas, graces) = (room.log_in(ADA).await, room.log_in(GRACE).await);
    room.age("1 hour");
    room.db.execute(&format!("DELETE FROM members WHERE id = '{ADA}'"));
    let before = room.table();
    assert_eq!(room.load(&adas).await, None);
    assert!(room.find(&adas).await.is_none());
    assert_eq!(room.table(), before, "nor is it kept alive");
    assert_eq!(room.load(&graces).await, Some(belonging_to(GRACE, &[])));
}

#[actix_web::test]
async fn when_the_owner_cannot_be_read_no_one_is_logged_in_or_out() {
    let room = room();
    let key = room.log_in(ADA).await;
    room.db.execute("ALTER TABLE members RENAME TO moved");
    let before = room.table();
    assert!(actix_session::storage::SessionStore::load(&room.store(), &key).await.is_err());
    assert_eq!(room.table(), before);
    room.db.execute("ALTER TABLE moved RENAME TO members");
    assert!(room.is_live(&key).await);
}

#[actix_web::test]
async fn a_session_that_ends_while_it_is_loaded_is_not_revived_by_the_touch() {
    let room = Room::<TooLate>::with_owners(Policy::default());
    let key = room.log_in(ADA).await;
    room.age("1 hour");
    room.find(&key).await;
    assert_eq!(room.live_rows(), 0);
}
