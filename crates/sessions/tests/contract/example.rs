//! Runs the example: its users log in, list their sessions and end them, and a change of a user takes effect at once.

use actix_session::SessionMiddleware;
use actix_web::cookie::{Cookie, Key};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use actix_web::{App, services};
use latchkey_sessions::{Store, request};
use test_db::eventually;

use super::support::TestDb;

#[allow(dead_code)] // Its `main` is not called here.
#[path = "../../examples/shop/main.rs"]
mod shop;

#[actix_web::test]
async fn the_example_logs_in_lists_and_revokes() {
    let db = TestDb::new();
    db.execute(include_str!("../../examples/shop/users.sql"));
    db.execute(
        "INSERT INTO users (name, token_hash) SELECT name, sha256(('token of ' || name)::bytea)
         FROM unnest('{ada,grace}'::text[]) name",
    );
    let (store, background) = Store::builder(db.db()).owner::<shop::User>().spawn();
    eventually("a lease", async || store.has_lease().then_some(())).await;
    let app = init_service(
        App::new()
            .app_data(Data::new(store.clone()))
            .service(services![shop::log_in, shop::list, shop::revoke])
            .wrap(SessionMiddleware::new(store.clone(), Key::from(&[7; 64])))
            .wrap(from_fn(request::middleware)),
    )
    .await;
    let send = async |request: TestRequest, cookie: Option<&Cookie<'static>>| {
        let request = cookie.into_iter().fold(request, |request, cookie| request.cookie(cookie.clone()));
        let response = call_service(&app, request.to_request()).await;
        let cookie = response.response().cookies().next().map(Cookie::into_owned);
        let status = response.status().as_u16();
        (status, String::from_utf8(read_body(response).await.to_vec()).unwrap(), cookie)
    };
    let log_in = async |name: &str| {
        let form = TestRequest::post().uri("/login").set_payload(format!("token of {name}"));
        send(form, None).await.2.expect("a cookie")
    };
    let list = || TestRequest::get().uri("/sessions");

    assert_eq!(send(TestRequest::post().uri("/login").set_payload("guessed"), None).await.0, 401);
    assert_eq!(send(list(), None).await.0, 401);
    let (laptop, phone, grace) = (log_in("ada").await, log_in("ada").await, log_in("grace").await);
    let (status, lines, _) = send(list(), Some(&laptop)).await;
    assert_eq!((status, lines.lines().count()), (200, 2), "{lines}");
    assert!(lines.lines().all(|line| line.starts_with("ada ")), "{lines}");

    let revoke = |handle: &str| TestRequest::post().uri(&format!("/sessions/{handle}/revoke"));
    let handles = lines.lines().map(|line| line.split(' ').nth(1).expect("a handle"));
    for handle in handles.clone() {
        assert_eq!(send(revoke(handle), Some(&grace)).await.0, 404, "Grace ends what is not hers");
    }
    // Last used first: the phone, then this laptop.
    for (handle, phone_is_in) in handles.zip([true, false]) {
        assert_eq!(send(list(), Some(&phone)).await.0 == 200, phone_is_in);
        assert_eq!(send(revoke(handle), Some(&laptop)).await.0, 200);
        assert_eq!(send(list(), Some(&phone)).await.0, 401);
    }
    assert_eq!(send(list(), Some(&laptop)).await.0, 401);

    // The owner is cached with the session, and the trigger of the table announces the change.
    db.execute("UPDATE users SET name = 'Grace' WHERE name = 'grace'");
    assert!(send(list(), Some(&grace)).await.1.starts_with("Grace "));
    db.execute("DELETE FROM users");
    assert_eq!(send(list(), Some(&grace)).await.0, 401);
    background.stop().await.unwrap();
}
