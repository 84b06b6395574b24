//! What an app learns about its user, and what it never receives.

use latchkey::apps::{RemoteUser, Rule};

use crate::front::support::{User, navigation, register, wiki};
use crate::support::app::TestApp;
use crate::support::upstream::{OK, Upstream};

#[actix_web::test]
async fn the_app_sees_our_identity_headers_and_none_of_the_clients() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    for (name, value) in [
        ("remote-groups", "admins"),
        ("remote_user", "root"),
        ("remote.user", "root"),
        ("remote-user", "root"),
        ("REMOTE-USER", "root"),
        ("remote_groups", "admins"),
        ("remote-email", "root@example.org"),
        ("connection", "Remote-User, Remote-Groups"),
        ("x-forwarded-user", "root"),
    ] {
        wiki.upstream.forget();
        let mut headers = navigation();
        headers.push((name, value.to_owned()));
        user.at_app.headers = headers;
        user.at_app.get("/").await.is(200);
        let seen = wiki.upstream.only_request();
        assert_eq!(seen.values("remote-user"), [ada.id.to_string()], "{name}");
        assert_eq!(seen.values("remote-email"), [ada.email], "{name}");
        assert_eq!(seen.values("remote-name"), [ada.name], "{name}");
        assert_eq!(seen.values("remote-groups"), [""], "{name}");
        let others = |name: &str| name.contains('_') || name.contains('.');
        assert!(!seen.headers.iter().any(|(name, _)| others(name)), "{name}: {:?}", seen.headers);
    }
}

#[actix_web::test]
async fn neither_the_portals_cookie_nor_ours_reaches_the_app() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    user.at_app.cookies.insert("theme".to_owned(), "dark".to_owned());
    wiki.upstream.forget();
    user.at_app.get("/").await.is(200);
    assert_eq!(wiki.upstream.only_request().values("cookie"), ["theme=dark"]);
    // The app's key opens nothing at the portal, and the portal's key nothing at the app.
    let key = user.at_app.cookies["latchkey-app"].clone();
    let mut thief = app.browser();
    thief.cookies.insert("latchkey".to_owned(), key.clone());
    assert!(!thief.is_in().await);
    let mut other = User::new(&app, &wiki);
    other.at_app.cookies.insert("latchkey-app".to_owned(), user.portal.key());
    other.at_app.get("/").await.is(302);
}

#[actix_web::test]
async fn a_key_opens_its_own_app_alone() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let shop = register(&app, "shop", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(latchkey::apps::Access::SignedIn)];
    })
    .await;
    let ada = app.ada().await;
    let user = User::inside(&app, &wiki, &ada).await;
    let mut other = User::new(&app, &shop);
    other.at_app.cookies = user.at_app.cookies.clone();
    other.at_app.get("/").await.is(302);
    assert!(shop.upstream.received().is_empty());
}

#[actix_web::test]
async fn the_apps_own_authorization_arrives_and_changes_nothing() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    wiki.upstream.forget();
    user.at_app.headers.push(("authorization", "Basic YWRhOnNlY3JldA==".to_owned()));
    user.at_app.get("/").await.is(200);
    assert_eq!(wiki.upstream.only_request().values("authorization"), ["Basic YWRhOnNlY3JldA=="]);
}

#[actix_web::test]
async fn a_name_in_any_script_is_one_ascii_header() {
    let app = TestApp::spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(latchkey::apps::Access::SignedIn)];
        app.remote_user = RemoteUser::Email;
    })
    .await;
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET name = E'C\\u00e9line \\u0414\\u0438\\u043c\\u0430\\r\\nX: y'");
    let mut user = User::inside(&app, &wiki, &ada).await;
    wiki.upstream.forget();
    user.at_app.get("/").await.is(200);
    let seen = wiki.upstream.only_request();
    assert_eq!(seen.values("remote-name"), ["C%C3%A9line %D0%94%D0%B8%D0%BC%D0%B0%0D%0AX: y"]);
    assert_eq!((seen.values("remote-user"), seen.values("x")), (vec![ada.email], vec![]));
}

#[actix_web::test]
async fn a_revoked_session_is_out_of_every_app_before_the_answer() {
    let app = TestApp::spawn();
    let second =
        app.beside(|settings| settings.server.public = latchkey::config::Origin::parse(&app.origin).unwrap());
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    // The same key at the other instance, whose memory holds it too.
    let port = second.origin.rsplit(':').next().unwrap().to_owned();
    let mut there = user.at_app.copy_at(&format!("http://wiki.localhost:{port}"));
    there.get("/").await.is(200);
    let mut elsewhere = app.logged_in(&ada).await;
    elsewhere.get("/account/sessions").await.is(200);
    elsewhere.post("/account/sessions/revoke-others", &[]).await.is(303);
    user.at_app.get("/").await.is(302);
    there.get("/").await.is(302);
}
