//! "Leave this app": the key of one browser for one app ends, and the session stays.

use crate::front::support::{User, wiki};
use crate::support::app::TestApp;

#[actix_web::test]
async fn leaving_an_app_ends_its_key_and_nothing_else() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let page = user.at_app.get("/.latchkey/out").await;
    page.is(200).is_error("leave");
    let token = page.attribute("input[name=token]", "value").expect("a token");

    // Another site, another token, another browser's token.
    for (headers, token) in [
        (vec![("sec-fetch-site", "cross-site".to_owned())], token.as_str()),
        (vec![("origin", "https://evil.example".to_owned())], token.as_str()),
        (vec![], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        (vec![], ""),
    ] {
        user.at_app.headers = headers;
        user.at_app.post_bare("/.latchkey/out", &[("token", token)]).await.is(403).is_error("foreign-form");
    }
    user.at_app.headers = crate::front::support::navigation();
    user.at_app.get("/").await.is(200);

    let stolen = user.at_app.copy();
    user.at_app.headers = vec![("sec-fetch-site", "same-origin".to_owned()), ("origin", wiki.origin.clone())];
    let left = user.at_app.post_bare("/.latchkey/out", &[("token", &token)]).await;
    left.is(200).is_error("left");
    assert!(left.cookie("latchkey-app").expect("its removal").contains("Max-Age=0"));
    assert_eq!(left.header("clear-site-data"), Some("\"cache\", \"storage\""));
    let mut stolen = stolen;
    stolen.get("/").await.is(302);
    assert_eq!((app.events("app.left"), app.live_sessions(&ada)), (1, 1));
    assert!(user.portal.is_in().await);
}

#[actix_web::test]
async fn what_is_not_ours_below_the_reserved_path_is_not_found_and_never_passed_on() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    wiki.upstream.forget();
    for path in ["/.latchkey/", "/.latchkey/in/", "/.latchkey/IN", "/.latchkey/app", "/.latchkey/enter/x"] {
        user.at_app.get(path).await.is(404);
    }
    let wrong = user.at_app.post_bare("/.latchkey/enter", &[]).await;
    assert_eq!(wrong.is(405).header("allow"), Some("GET"));
    assert!(wiki.upstream.received().is_empty());
}
