//! Mailed links: the first request removes the token from the URL, and GET requests consume nothing.

use crate::support::app::TestApp;
use crate::support::subjects;

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PAGES: [&str; 7] =
    ["/verify-email", "/reset-password", "/setup", "/unlock", "/not-me", "/confirm-email", "/undo-email"];

#[actix_web::test]
async fn the_token_leaves_the_address_at_the_first_hit() {
    let app = TestApp::spawn();
    for page in PAGES {
        let mut browser = app.browser();
        let moved = browser.get(&format!("{page}?token={TOKEN}")).await;
        moved.redirects_to(page);
        let cookie = moved.cookie("latchkey-link").unwrap().to_owned();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=900"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert_eq!(moved.header("cache-control"), Some("no-store"));
        // Only its own page reads it.
        for other in PAGES {
            let shown = browser.get(other).await;
            let dead = shown.status == 410;
            let token = shown.attribute("main input[name=token]", "value").unwrap_or_default();
            assert!(dead || (token == TOKEN) == (other == page), "{page} {other}: {token}");
            assert!(!shown.body.contains(TOKEN) || other == page, "{page} {other}");
        }
    }
}

#[actix_web::test]
async fn a_link_that_is_none_goes_no_further() {
    let app = TestApp::spawn();
    for odd in ["%22%3E%3Cscript%3E", "%3Bb", &"A".repeat(5000), "%C3%A4", "%00"] {
        let mut browser = app.browser();
        let moved = browser.get(&format!("/reset-password?token={odd}")).await;
        moved.redirects_to("/reset-password");
        assert!(moved.cookie("latchkey-link").unwrap().contains("reset-password.dead;"), "{moved:?}");
        browser.get("/reset-password").await.is(410);
    }
}

#[actix_web::test]
async fn a_token_ends_where_no_token_goes_on() {
    let app = TestApp::spawn();
    for behind in [".", ")", ">", "%22", "%E9", ",", "&utm_source=letter", "%20and%20more", "&token=B"] {
        let mut browser = app.browser();
        browser
            .get(&format!("/reset-password?ref=%E9&token={TOKEN}{behind}"))
            .await
            .redirects_to("/reset-password");
        assert_eq!(browser.cookies["latchkey-link"], format!("%2Freset-password.{TOKEN}"), "{behind}");
    }
}

#[actix_web::test]
async fn a_page_without_its_token_says_where_to_find_it_and_offers_nothing_that_cannot_work() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for page in PAGES.into_iter().chain(["/undo-factor"]) {
        let shown = app.browser().get(page).await;
        shown.is(410).is_refused("no-token");
        assert_eq!(shown.count(&format!("form[action='{page}']")), 0, "{page}");
        let dead = app.browser().open(&format!("{page}?token={TOKEN}")).await;
        dead.is(410).is_refused("dead-link");
        assert_eq!(dead.count(&format!("form[action='{page}']")), 0, "{page}");
    }
    // In another browser the mailed link works, regardless of what the first browser did with it.
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let link = app.letter(ada.email, subjects::RESET_PASSWORD).await.link();
    app.browser().open(&link).await.is(200);
    let mut other = app.browser();
    other.get("/reset-password").await.is(410).is_refused("no-token");
    assert_eq!(other.open(&link).await.is(200).count("form[action='/reset-password']"), 1);
}

#[actix_web::test]
async fn once_used_it_waits_no_longer() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    // A scanner has opened it twice.
    for method in [reqwest::Method::HEAD, reqwest::Method::GET] {
        let look = app.browser().request(method, &letter.link());
        app.browser().send(look).await.is(303);
    }
    browser.open(&letter.link()).await.is(200);
    assert!(browser.cookies.contains_key("latchkey-link"));
    let token = letter.token();
    let fields = [("token", token.as_str()), ("password", "gravel tuba otter lemon")];
    browser.post("/reset-password", &fields).await.redirects_to("/login");
    assert!(!browser.cookies.contains_key("latchkey-link"));
}

#[actix_web::test]
async fn the_token_of_an_invitation_leaves_the_address_as_well() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let letter = app.letter("alan@example.org", subjects::INVITATION).await;
    assert!(letter.link().starts_with("/register?invite="), "{}", letter.link());
    let mut browser = app.browser();
    let moved = browser.get(&letter.link()).await;
    moved.redirects_to("/register");
    assert_eq!(moved.header("cache-control"), Some("no-store"));
    // Only its own page reads it.
    for page in PAGES {
        assert!(!browser.get(page).await.body.contains(&letter.token()), "{page}");
    }
    let page = browser.get("/register").await;
    assert_eq!(page.attribute("input[name=invite]", "value"), Some(letter.token()));
    assert_eq!(page.attribute("#email", "value").as_deref(), Some("alan@example.org"));
    let token = letter.token();
    let fields = [
        ("name", "Alan"),
        ("email", "alan@example.org"),
        ("password", "gravel tuba otter lemon"),
        ("invite", &token),
    ];
    browser.post("/register", &fields).await.redirects_to("/register/check-email");
    assert!(!browser.cookies.contains_key("latchkey-link"));
    // A visitor without an invitation gets the ordinary page.
    let plain = app.browser().get("/register").await;
    assert_eq!(plain.is(200).count("input[name=invite]"), 0);
}
