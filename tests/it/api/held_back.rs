//! Tests a body whose last byte arrives late: the rights at that time decide.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use latchkey::identity::{Client, Role, UserId};
use latchkey::tokens::ApiScope;

use super::support::token_of;
use crate::support::app::TestApp;
use crate::support::process::eventually;

#[actix_web::test]
async fn rights_lost_while_the_body_arrives_do_not_count() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    for (end, status) in [("revoked", "401"), ("demoted", "40"), ("disabled", "401")] {
        app.db.execute(&format!(
            "UPDATE users SET role = 'admin', disabled_at = NULL WHERE id = '{}'",
            grace.id
        ));
        let token = token_of(&app, &grace, &[ApiScope::UsersWrite]).await;
        let body = "{\"name\":\"Eve\"}";
        let head = format!(
            "PATCH /api/v1/users/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            ada.id,
            token.text.reveal(),
            body.len(),
        );
        let counts = || {
            let cache = app.accounts.tokens.cache().counts();
            cache.hits.get() + cache.misses.get()
        };
        let before = counts();
        let mut line = TcpStream::connect(app.origin.strip_prefix("http://").unwrap()).unwrap();
        line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        line.write_all(format!("{head}{}", &body[..body.len() - 1]).as_bytes()).unwrap();
        eventually("the token is looked up", async || (counts() > before).then_some(())).await;
        let (id, operator) = (UserId(grace.id), Client::operator());
        match end {
            "revoked" => drop(app.accounts.tokens.revoke(None, token.record.id, operator).await.unwrap()),
            "demoted" => app.accounts.admin.set_role(None, id, Role::Member, operator).await.unwrap(),
            _ => app.accounts.admin.disable(None, id, operator).await.unwrap(),
        }
        line.write_all(&body.as_bytes()[body.len() - 1..]).unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{end}: {answer}");
    }
    assert_eq!(app.events("name-changed"), 0);
}
