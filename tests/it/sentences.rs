//! The sentences that matter most, word by word. All other tests compare codes.

use crate::support::app::TestApp;
use crate::support::subjects;

#[actix_web::test]
async fn the_most_important_sentences_are_these() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut stranger = app.browser();
    let refused = stranger.log_in(ada.email, "not-the-password-at-all").await;
    let mut member = app.logged_in(&ada).await;
    let (home, forbidden) = (member.get("/home").await, member.get("/admin").await);
    let wrong_method = member.get("/account/profile").await;
    let mut known = app.browser();
    known.headers.push(("user-agent", "Firefox".into()));
    known.log_in(ada.email, ada.password).await.redirects_to("/home");
    let mail = app.letter(ada.email, subjects::NEW_DEVICE).await;
    let not_me = app.browser().open(&mail.link()).await;
    app.age_confirmations();
    let confirm = app.logged_in(&ada).await.get("/confirm?next=/account/security").await;
    for (page, selector, sentence) in [
        (
            &refused,
            "[data-refusal]",
            "That email and password don't match. If your address isn't confirmed yet or your password is locked, we've emailed you what to do.",
        ),
        (&refused, "label[for=remember]", "Stay logged in"),
        (&home, "dl.pairs div:nth-child(1) dt", "IP address"),
        (&home, "dl.pairs div:nth-child(2) dt", "Logged in with"),
        (&home, "dl.pairs div:nth-child(3) dt", "Stay logged in"),
        (&forbidden, "h1", "You don't have access to this page"),
        (&wrong_method, "h1", "This page can't be opened that way"),
        (&confirm, ".lead", "Enter your password to continue. We won't ask again for 10 minutes."),
        (&not_me, "main button", "Secure my account"),
    ] {
        assert_eq!(page.text(selector).as_deref(), Some(sentence), "{selector}");
    }
    not_me.says("We'll block your current password and email you a link to set a new one.");
}

#[actix_web::test]
async fn titles_headings_and_tabs_agree() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    for start in ["/account", "/admin"] {
        let page = admin.get(start).await;
        let links = page.attributes("nav.sub a", "href");
        assert!(links.len() > 4, "{links:?}");
        for link in links {
            let page = admin.get(&link).await;
            let heading = page.is(200).text("h1").unwrap();
            assert_eq!(page.text("nav.sub a[aria-current]").as_deref(), Some(&*heading), "{link}");
            assert_eq!(page.text("title").as_deref(), Some(&*format!("{heading} · Latchkey")), "{link}");
        }
    }
}
