//! The handoff: from the app to the portal and back, with a code that works once, in one browser.

use futures_util::future::{join, join_all};
use latchkey::apps::{Access, App, AppOrigin, Rule};
use latchkey::identity::Client;

use crate::front::support::{User, navigation, path_of, wiki};
use crate::support::app::TestApp;
use crate::support::browser::Browser;

#[actix_web::test]
async fn a_user_who_is_logged_in_arrives_in_the_app_without_another_question() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;

    let first = user.at_app.get("/r?x=1").await;
    first.is(302);
    assert_eq!(first.header("location"), Some(&*format!("{}/.latchkey/in?to=%2Fr%3Fx%3D1", wiki.origin)));

    let begun = user.at_app.get("/.latchkey/in?to=%2Fr%3Fx%3D1").await;
    begun.is(302);
    let cookie = begun.cookie("latchkey-state").expect("a state");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let portal = begun.header("location").expect("a location").to_owned();
    let host = wiki.origin.trim_start_matches("http://").replace(':', "%3A");
    assert!(portal.starts_with(&format!("{}/go/wiki?state=", app.origin)), "{portal}");
    assert!(portal.ends_with(&format!("&at={host}&to=%2Fr%3Fx%3D1")), "{portal}");

    let back = user.portal.get(&path_of(&begun)).await;
    back.is(200).is_page("go/slug");
    assert_eq!(back.header("referrer-policy"), Some("no-referrer"));
    let entered = user.at_app.get(&path_of(&back)).await;
    entered.redirects_to(&format!("{}/r?x=1", wiki.origin));
    let key = entered.cookie("latchkey-app").expect("a key");
    assert!(key.contains("HttpOnly") && key.contains("SameSite=Lax") && !key.contains("Max-Age"), "{key}");

    user.at_app.get("/r?x=1").await.is(200);
    let seen = wiki.upstream.only_request();
    assert_eq!((seen.target(), seen.values("remote-email")), ("/r?x=1", vec![ada.email]));
    assert_eq!(app.events("app.entered"), 1);
    // There is one key, of the one session, and it does not count as a device.
    assert_eq!((app.live_sessions(&ada), app.db.scalar::<i64>("SELECT count(*) FROM session_keys")), (1, 1));
}

#[actix_web::test]
async fn a_visitor_logs_in_on_the_way() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::new(&app, &wiki);
    user.portal.headers = navigation();
    let begin = path_of(&user.at_app.get("/deep/page?q=a%20b").await);
    let go = path_of(&user.at_app.get(&begin).await);
    let log_in = user.portal.get(&go).await;
    assert!(log_in.is_sent_to("/login"), "{log_in:?}");
    let form = path_of(&log_in);
    let sent = user.portal.fill_in(&form, &[("email", ada.email), ("password", ada.password)]).await;
    sent.is(303);
    assert_eq!(path_of(&sent), go);
    // The browser follows the redirect of our own form.
    user.portal.headers = vec![("sec-fetch-site", "same-origin".to_owned())];
    let back = user.portal.get(&go).await;
    back.is(200).is_page("go/slug");
    let entered = user.at_app.get(&path_of(&back)).await;
    entered.redirects_to(&format!("{}/deep/page?q=a%20b", wiki.origin));
}

#[actix_web::test]
async fn the_code_dies_at_its_first_presentation_right_or_wrong() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let (go, enter) = user.code().await;

    // A thief who read the code has another state.
    let mut thief = Browser::new(&wiki.origin);
    thief.headers = navigation();
    thief.get("/.latchkey/in").await.is(302);
    thief.get(&enter).await.is(400).is_error("code-used");
    user.at_app.get(&enter).await.is(400).is_error("code-used");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM session_keys"), 0);

    // A code that was right works once.
    let enter = path_of(&user.portal.get(&go).await);
    user.at_app.get(&enter).await.is(303);
    let again = user.at_app.get(&enter).await;
    again.is(400).is_error("code-used");
    assert_eq!(again.header("location"), None, "never a third redirect");
}

#[actix_web::test]
async fn a_code_is_worth_nothing_without_a_state_or_when_it_is_old() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let (_, enter) = user.code().await;
    let mut without = Browser::new(&wiki.origin);
    let before = app.dump();
    let refused = without.get(&enter).await;
    refused.is(400).is_error("no-state-cookie");
    assert!(refused.header("location").is_none() && app.dump() == before);

    app.db.execute("UPDATE app_entries SET expires_at = expires_at - interval '61 seconds'");
    user.at_app.get(&enter).await.is(400).is_error("code-used");
}

#[actix_web::test]
async fn made_up_keys_codes_and_states_reach_no_database() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let key = user.at_app.cookies["latchkey-app"].clone();
    let mut forger = User::new(&app, &wiki).at_app;
    forger.get("/.latchkey/in").await.is(302);
    let asked = || (app.accounts.db().counts().waited.count(), app.accounts.sessions().counts().misses.get());
    let before = asked();
    let other = format!("A{}", &key[1..]);
    for forged in [other.as_str(), &key[..43], "x", "", &format!("{}.", &key[..43]), &"A".repeat(43)] {
        forger.cookies.insert("latchkey-app".to_owned(), forged.to_owned());
        forger.get("/").await.is(302);
    }
    for code in ["x", "", &"A".repeat(43), &format!("{0}.{0}", "A".repeat(43))] {
        forger.get(&format!("/.latchkey/enter?code={code}")).await.is(400).is_error("code-used");
    }
    assert_eq!(asked(), before);
    user.at_app.get("/").await.is(200);
}

#[actix_web::test]
async fn only_a_tab_gets_a_code() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let go = path_of(&user.at_app.get("/.latchkey/in").await);
    for (mode, dest) in [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")] {
        user.portal.headers = vec![
            ("sec-fetch-site", "same-site".to_owned()),
            ("sec-fetch-mode", mode.to_owned()),
            ("sec-fetch-dest", dest.to_owned()),
        ];
        user.portal.get(&go).await.is(403);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM app_entries"), 0);
}

#[actix_web::test]
async fn a_session_that_ends_between_the_two_redirects_gets_no_key() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let (_, enter) = user.code().await;
    user.portal.get("/home").await.is(200);
    user.portal.post("/logout", &[]).await.is(303);
    user.at_app.get(&enter).await.is(400).is_error("code-used");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM session_keys"), 0);
}

#[actix_web::test]
async fn five_tabs_that_were_sent_to_log_in_all_show_their_page() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::new(&app, &wiki);
    let mut tabs = Vec::new();
    for tab in 0..5 {
        let begin = path_of(&user.at_app.get(&format!("/tab/{tab}")).await);
        tabs.push((tab, path_of(&user.at_app.get(&begin).await)));
    }
    user.portal = app.logged_in(&ada).await;
    // In any order: all share the one state of this browser.
    for (tab, go) in tabs.into_iter().rev() {
        let enter = path_of(&user.portal.get(&go).await);
        let entered = user.at_app.get(&enter).await;
        entered.redirects_to(&format!("{}/tab/{tab}", wiki.origin));
        user.at_app.get(&format!("/tab/{tab}")).await.is(200);
    }
    let keys: i64 = app.db.scalar("SELECT count(*) FROM session_keys");
    assert_eq!(keys, 4, "at most four keys a session, app and origin");
}

#[actix_web::test]
async fn only_paths_of_the_app_are_led_to() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let long = format!("%2F{}", "a".repeat(2100));
    for to in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F.latchkey%2Fout",
        "x",
        &long,
    ] {
        let go = path_of(&user.at_app.get(&format!("/.latchkey/in?to={to}")).await);
        let enter = path_of(&user.portal.get(&go).await);
        let entered = user.at_app.get(&enter).await;
        entered.redirects_to(&format!("{}/", wiki.origin));
        user.at_app.cookies.remove("latchkey-app");
    }
    // The portal does not believe the app's side either.
    let go = path_of(&user.at_app.get("/.latchkey/in?to=%2F").await);
    for (from, to) in [("to=%2F", "to=%2F%2Fevil.example"), ("at=wiki", "at=evil"), ("state=", "state=x")] {
        let forged = go.replace(from, to);
        assert_ne!(forged, go);
        let answer = user.portal.get(&forged).await;
        if from == "to=%2F" {
            let entered = user.at_app.get(&path_of(&answer)).await;
            entered.redirects_to(&format!("{}/", wiki.origin));
        } else {
            answer.is(404);
        }
    }
}

#[actix_web::test]
async fn a_browser_with_a_live_key_is_not_sent_around_again() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let page = user.at_app.get("/.latchkey/in?to=%2Fr").await;
    page.is(200).is_error("already-in");
    assert_eq!(page.attribute("a.is-primary", "href").as_deref(), Some("/r"));
}

#[actix_web::test]
async fn another_user_finds_nothing_of_the_first_in_the_same_browser() {
    let app = TestApp::spawn();
    let wiki = crate::front::support::register(
        &app,
        "wiki",
        crate::support::upstream::Upstream::answering(crate::support::upstream::OK),
        |app| {
            app.rules = vec![Rule::everywhere(Access::SignedIn)];
            app.app_cookies = vec!["wiki_sid".to_owned()];
        },
    )
    .await;
    let (ada, mary) = (app.ada().await, app.mary().await);
    let mut user = User::inside(&app, &wiki, &ada).await;
    // She enters again: everything stays.
    let go = path_of(&user.at_app.get("/.latchkey/in?fresh=1&to=%2F").await);
    let enter = path_of(&user.portal.get(&go).await);
    let entered = user.at_app.get(&enter).await;
    assert_eq!(entered.is(303).header("clear-site-data"), None);
    // Her session ends, and Mary uses the computer.
    user.portal.get("/home").await.is(200);
    user.portal.post("/logout", &[]).await.is(303);
    user.portal = app.logged_in(&mary).await;
    let begin = path_of(&user.at_app.get("/").await);
    let go = path_of(&user.at_app.get(&begin).await);
    let enter = path_of(&user.portal.get(&go).await);
    let entered = user.at_app.get(&enter).await;
    assert_eq!(entered.is(303).header("clear-site-data"), Some("\"cache\", \"storage\""));
    assert!(entered.cookie("wiki_sid").expect("its removal").contains("Max-Age=0"));
    user.at_app.get("/").await.is(200);
    let seen = wiki.upstream.received().pop().expect("a request");
    assert_eq!(seen.values("remote-email"), [mary.email]);
}

#[actix_web::test]
async fn an_open_handoff_is_one_of_at_most_thirty() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let (go, first) = user.code().await;
    let mut last = String::new();
    for _ in 0..30 {
        last = path_of(&user.portal.get(&go).await);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM app_entries"), 30);
    user.at_app.get(&first).await.is(400);
    user.at_app.get(&last).await.is(303);
}

#[actix_web::test]
async fn a_change_of_the_app_ends_no_handoff_in_flight_unless_its_address_is_gone() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    type Change = dyn Fn(&mut App);
    fn extra(text: &str) -> AppOrigin {
        AppOrigin::parse(text).unwrap()
    }
    let changes: [(&str, &Change); 6] = [
        ("the name", &|app| app.name = "Renamed".into()),
        ("rules", &|app| app.rules.push(Rule::everywhere(Access::Open))),
        ("one more address", &|app| app.origins.insert(0, extra("https://wiki.example.org"))),
        ("and another", &|app| app.origins.push(extra("https://wiki.example.net"))),
        ("their order", &|app| app.origins.rotate_left(1)),
        ("one address less", &|app| app.origins.retain(|origin| origin.host() != "wiki.example.org")),
    ];
    let apps = &app.accounts.apps;
    for (what, change) in changes {
        let mut user = User::logged_in(&app, &wiki, &ada).await;
        let (_, enter) = user.code().await;
        let before = apps.find("wiki").await.unwrap().expect("the app");
        let mut after = before.clone();
        change(&mut after);
        apps.change(None, before, after.clone(), Client::operator()).await.unwrap();
        assert_eq!(apps.find("wiki").await.unwrap(), Some(after), "{what}");
        let entered = user.at_app.get(&enter).await;
        assert_eq!(entered.status, 303, "{what}: {entered:?}");
    }
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    user.code().await;
    let before = apps.find("wiki").await.unwrap().expect("the app");
    let after = App { origins: vec![extra("https://wiki.example.net")], ..before.clone() };
    apps.change(None, before, after, Client::operator()).await.unwrap();
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM app_entries"), 0);
}

#[actix_web::test]
async fn users_who_enter_while_the_app_is_removed_or_moved_meet_no_fault() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for round in 0..6 {
        let wiki = wiki(&app).await;
        let mut entering = Vec::new();
        for _ in 0..6 {
            let mut user = User::logged_in(&app, &wiki, &ada).await;
            let (_, enter) = user.code().await;
            entering.push(async move { user.at_app.get(&enter).await.status });
        }
        let apps = &app.accounts.apps;
        let before = apps.find("wiki").await.unwrap().expect("the app");
        let ending = async {
            if round % 2 == 0 {
                let origins = vec![AppOrigin::parse("https://wiki.example.org").unwrap()];
                let moved = App { origins, ..before.clone() };
                apps.change(None, before.clone(), moved, Client::operator()).await.unwrap();
            }
            apps.remove(None, before.id, Client::operator()).await.unwrap();
        };
        let (statuses, ()) = join(join_all(entering), ending).await;
        // Without any app, the portal answers for every host, with 404.
        assert!(statuses.iter().all(|status| [303, 400, 404, 421].contains(status)), "{statuses:?}");
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM session_keys"), 0);
    }
}
