//! A decision that begins after the answer to a revocation lets no one in, at any instance, and decisions write nothing.

use std::time::Duration;

use futures_util::future::join_all;
use latchkey::identity::Client;

use super::answers::wiki;
use super::support::{FLAVOURS, Proxy, inside, spawn};
use crate::front::support::{User, Wiki};
use crate::support::app::TestApp;

/// Asks each instance as each proxy; returns how many let the user in.
async fn let_in(instances: &[&TestApp], wiki: &Wiki, user: &User) -> usize {
    let asking = instances.iter().flat_map(|app| FLAVOURS.map(|flavour| (app, flavour))).map(
        async |(app, flavour)| {
            Proxy::new(app, wiki, flavour).ask(&user.at_app, "GET", "/").await.status == 200
        },
    );
    join_all(asking).await.into_iter().filter(|is_in| *is_in).count()
}

#[actix_web::test]
async fn every_end_of_a_key_counts_for_every_proxy_and_instance() {
    let app = spawn();
    let beside = app.beside(|settings| settings.front.port = Some(0));
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let instances = [&app, &beside];
    for way in ["log out", "leave", "an administrator ends it", "disable the app"] {
        let mut user = User::inside(&app, &wiki, &ada).await;
        assert_eq!(let_in(&instances, &wiki, &user).await, 8, "{way}");
        match way {
            "log out" => {
                user.portal.get("/home").await;
                user.portal.post("/logout", &[]).await.is(303);
            }
            "leave" => {
                let page = user.at_app.get("/.latchkey/out").await;
                let token = page.attribute("input[name=token]", "value").expect("a token");
                let cookies = user.at_app.cookies.clone();
                user.at_app.headers.push(("origin", wiki.origin.clone()));
                user.at_app.headers[0].1 = "same-origin".to_owned();
                user.at_app.post_bare("/.latchkey/out", &[("token", &token)]).await.is(200);
                user.at_app.cookies = cookies;
            }
            "an administrator ends it" => {
                let grace = app.grace().await;
                let mut admin = app.logged_in(&grace).await;
                admin.get(&format!("/admin/users/{}", ada.id)).await.is(200);
                admin.post(&format!("/admin/users/{}/revoke-sessions", ada.id), &[]).await.is(303);
            }
            _ => {
                let before = app.accounts.apps.find("wiki").await.expect("a database").expect("the app");
                let mut after = before.clone();
                after.enabled = false;
                app.accounts.apps.change(None, before, after, Client::operator()).await.expect("a change");
            }
        }
        assert_eq!(let_in(&instances, &wiki, &user).await, 0, "{way}");
    }
}

#[actix_web::test]
async fn decisions_write_nothing() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    app.accounts.sessions().flush_touches().await.expect("a database");
    // Refusals are recorded after their first answer.
    let mut proxy = Proxy::new(&app, &wiki, "nginx");
    proxy.ask(&user.at_app, "GET", "/admin").await.is(403);
    actix_web::rt::time::sleep(Duration::from_millis(500)).await;
    let before = app.dump();
    for _ in 0..10 {
        for flavour in FLAVOURS {
            let mut proxy = Proxy::new(&app, &wiki, flavour);
            proxy.ask(&user.at_app, "GET", "/").await.is(200);
            proxy.ask(&user.at_app, "POST", "/").await.is(200);
            proxy.ask(&user.at_app, "GET", "/admin").await.is(403);
        }
    }
    assert_eq!(app.dump(), before);
}
