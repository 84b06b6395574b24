//! Which tokens a user may create: limits, scopes and names.

use std::time::Duration;

use latchkey::config::TokenLimits;
use latchkey::db::Refusable as _;
use latchkey::identity::{Client, InvalidName};
use latchkey::tokens::{ApiScope, NewToken, TokenRefusal};
use latchkey_sessions::Handle;
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::tokens::new_token;

async fn refusal(app: &TestApp, token: NewToken) -> Option<TokenRefusal> {
    app.accounts.tokens.create(token, Client::operator()).await.split().expect("a database").err()
}

#[actix_web::test]
async fn a_member_can_have_only_the_scopes_of_members() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for scope in ApiScope::ALL {
        let refused = refusal(&app, new_token(&ada, &[scope.as_str()])).await;
        assert_eq!(refused, (scope != ApiScope::Me).then_some(TokenRefusal::RoleTooLow(scope)));
        assert_eq!(refusal(&app, new_token(&grace, &[scope.as_str()])).await, None);
    }
}

#[actix_web::test]
async fn a_name_is_readable_and_belongs_to_one_token() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let named = |person, name: &str| NewToken { name: name.to_owned(), ..new_token(person, &["me"]) };
    for (name, why) in [
        ("", InvalidName::Empty),
        ("see https://evil.example", InvalidName::Link),
        (&"x".repeat(81), InvalidName::TooLong { max: 80 }),
    ] {
        assert_eq!(refusal(&app, named(&ada, name)).await, Some(TokenRefusal::Name(why)));
    }
    assert_eq!(refusal(&app, named(&ada, "Backup")).await, None);
    assert_eq!(refusal(&app, named(&ada, " Backup ")).await, Some(TokenRefusal::NameTaken));
    assert_eq!(refusal(&app, named(&grace, "Backup")).await, None);
    app.db.execute(
        "UPDATE tokens SET created_at = created_at - interval '2 days', expires_at = expires_at - interval '2 days'",
    );
    assert_eq!(refusal(&app, named(&ada, "Backup")).await, None, "the name of an expired token is free");
}

#[actix_web::test]
async fn a_token_lasts_a_year_at_most() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let lasting = |lifetime| NewToken { lifetime, ..new_token(&ada, &["me"]) };
    let max = TokenLimits::LONGEST;
    assert_eq!(refusal(&app, lasting(Duration::ZERO)).await, Some(TokenRefusal::LifetimeTooShort));
    assert_eq!(
        refusal(&app, lasting(max + Duration::from_secs(1))).await,
        Some(TokenRefusal::LifetimeTooLong { max })
    );
    assert_eq!(refusal(&app, lasting(max)).await, None);
    // The database refuses it, too.
    let longer = "UPDATE tokens SET expires_at = expires_at + interval '2 days'";
    assert!(diesel::connection::SimpleConnection::batch_execute(&mut app.db.connect(), longer).is_err());
}

#[actix_web::test]
async fn the_limit_of_tokens_per_user_holds_even_if_many_are_created_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..TokenLimits::PER_USER - 2 {
        app.token(&ada, &["me"]).await;
    }
    let attempts = (0..6).map(|_| refusal(&app, new_token(&ada, &["me"])));
    let refused = futures_util::future::join_all(attempts).await;
    let too_many = TokenRefusal::TooMany { max: TokenLimits::PER_USER };
    assert_eq!(refused.iter().filter(|refused| refused.is_none()).count(), 2);
    assert!(refused.iter().flatten().all(|refused| *refused == too_many));
}

#[actix_web::test]
async fn neither_a_disabled_user_nor_an_ended_session_nor_an_unknown_app_gets_a_token() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", grace.id));
    assert_eq!(refusal(&app, new_token(&grace, &["me"])).await, Some(TokenRefusal::NoSuchUser));
    app.logged_in(&ada).await;
    let handle: Uuid = app.db.scalar::<String>("SELECT handle::text FROM sessions").parse().expect("an id");
    let in_session = || NewToken { made_by: Some(Handle(handle)), ..new_token(&ada, &["me"]) };
    assert_eq!(refusal(&app, in_session()).await, None);
    app.db.execute("UPDATE sessions SET revoked_at = now()");
    assert_eq!(refusal(&app, in_session()).await, Some(TokenRefusal::NoSuchUser));
    let nowhere = Some(TokenRefusal::NoSuchApp("wiki".to_owned()));
    assert_eq!(refusal(&app, new_token(&ada, &["app:wiki"])).await, nowhere);
}
