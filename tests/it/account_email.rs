//! Changing the email address: verified at the new one, announced to the old one, undone from there.

use futures_util::future::join_all;

use crate::support::app::{Letter, Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::subjects;

const NEW: &str = "countess@example.org";

async fn ask(browser: &mut Browser, email: &str) -> Answer {
    browser.fill_in("/account/email", &[("email", email)]).await
}

async fn press(app: &TestApp, letter: &Letter) -> Answer {
    let (link, mut browser) = (letter.link(), app.browser());
    // A dead link shows no form.
    browser.get("/login").await.is(200);
    browser.open(&link).await;
    browser.post(link.split('?').next().unwrap(), &[("token", &letter.token())]).await
}

fn address_of(app: &TestApp, person: &Person) -> String {
    app.db.scalar(&format!("SELECT email || ' ' || email_key FROM users WHERE id = '{}'", person.id))
}

/// Changes Ada's address; returns the email to the old one.
async fn changed(app: &TestApp, ada: &Person) -> (Browser, Letter) {
    let mut browser = app.logged_in(ada).await;
    ask(&mut browser, NEW).await.redirects_to("/account/email");
    press(app, &app.letter(NEW, subjects::CONFIRM_EMAIL).await).await.redirects_to("/login");
    (browser, app.letter(ada.email, subjects::EMAIL_CHANGED).await)
}

#[actix_web::test]
async fn the_link_at_the_new_address_changes_it_and_the_old_one_is_told() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    ask(&mut browser, "Countess@Example.org").await.redirects_to("/account/email");
    browser.get("/account/email").await.has_flash("email-asked");
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
    let letter = app.letter("Countess@Example.org", subjects::CONFIRM_EMAIL).await;
    assert!(letter.text.contains("24 hours") && !letter.text.contains("Ada"), "{}", letter.text);
    let mut mailbox = app.browser();
    mailbox.open(&letter.link()).await.is(200).is_page("mailed_link").says("Countess@Example.org");
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
    mailbox.post("/confirm-email", &[("token", &letter.token())]).await.redirects_to("/login");
    mailbox.get("/login").await.has_flash("email-changed");
    assert_eq!(address_of(&app, &ada), "Countess@Example.org countess@example.org");
    browser.get("/account").await.is(200).says("Countess@Example.org");
    let told = app.letter(ada.email, subjects::EMAIL_CHANGED).await;
    assert!(told.text.contains("to Countess@Example.org") && told.text.contains("7 days"), "{}", told.text);
    app.browser().log_in(ada.email, ada.password).await.is(422);
    app.browser().log_in(NEW, ada.password).await.is(303);
    press(&app, &letter).await.is(422).is_refused("dead-link");
    app.browser().open(&letter.link()).await.is(410);
    assert_eq!((app.events("email-change-asked"), app.events("email-changed")), (1, 1));
}

#[actix_web::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_a_letter() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let mut seen = Vec::new();
    for email in [NEW, grace.email] {
        let answer = ask(&mut browser, email).await;
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        seen.push((answer.status, answer.header("location").map(str::to_owned), names, answer.body));
        browser.get("/account/email").await.is(200);
    }
    assert_eq!(seen[0], seen[1]);
    let told = app.letter(grace.email, subjects::EMAIL_WANTED).await;
    assert!(!told.text.contains("Ada") && !told.text.contains(ada.email), "{}", told.text);
    assert_eq!(app.count_letters(subjects::CONFIRM_EMAIL).await, 1);
    ask(&mut browser, ada.email).await.is(422).is_refused("same");
    ask(&mut browser, "ada@").await.is(422).is_refused("invalid-email");
}

#[actix_web::test]
async fn the_link_dies_with_the_next_one_a_new_password_time_and_a_rival() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let asked = async |browser: &mut Browser, email: &str| {
        app.db.execute("DELETE FROM throttles");
        ask(browser, email).await.redirects_to("/account/email");
        app.letter(email, subjects::CONFIRM_EMAIL).await
    };
    // The next request, for a free or a taken address.
    for next in ["b@example.org", grace.email] {
        let superseded = asked(&mut browser, "a@example.org").await;
        app.db.execute("DELETE FROM outbox WHERE recipient = 'a@example.org'");
        ask(&mut browser, next).await.is(303);
        press(&app, &superseded).await.is(422);
    }
    // A new password, changed or reset.
    let letter = asked(&mut browser, "c@example.org").await;
    let new = "gravel tuba otter lemon";
    let fields = [("current_password", ada.password), ("password", new)];
    browser.fill_in("/account/password", &fields).await.is(303);
    press(&app, &letter).await.is(422);
    let letter = asked(&mut browser, "d@example.org").await;
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let token = app.letter(ada.email, subjects::RESET_PASSWORD).await.token();
    let fields = [("token", token.as_str()), ("password", ada.password)];
    let mut mailbox = app.browser();
    mailbox.get("/login").await.is(200);
    mailbox.post("/reset-password", &fields).await.redirects_to("/login");
    press(&app, &letter).await.is(422);
    // The link expires.
    let mut browser = app.logged_in(&ada).await;
    let letter = asked(&mut browser, "e@example.org").await;
    app.db.execute("UPDATE account_links SET expires_at = now()");
    press(&app, &letter).await.is(422);
    // Another visitor registered the address meanwhile.
    let letter = asked(&mut browser, "f@example.org").await;
    app.db.execute(&format!(
        "UPDATE users SET email = 'f@example.org', email_key = 'f@example.org' WHERE id = '{}'",
        grace.id
    ));
    press(&app, &letter).await.is(422);
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
}

#[actix_web::test]
async fn twenty_simultaneous_confirmations_change_the_address_once_and_so_do_undos() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut inside = app.logged_in(&ada).await;
    ask(&mut inside, NEW).await.is(303);
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let at_once = async |path: &'static str, token: String| {
        let presses = (0..20).map(|_| {
            let (mut browser, token) = (browser.copy(), token.clone());
            async move { browser.post(path, &[("token", &token)]).await.status }
        });
        let statuses = join_all(presses).await;
        assert!(statuses.iter().all(|status| [303, 422].contains(status)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 303).count()
    };
    assert_eq!(at_once("/confirm-email", app.letter(NEW, subjects::CONFIRM_EMAIL).await.token()).await, 1);
    assert_eq!((app.events("email-changed"), app.count_letters(subjects::EMAIL_CHANGED).await), (1, 1));
    assert_eq!(at_once("/undo-email", app.letter(ada.email, subjects::EMAIL_CHANGED).await.token()).await, 1);
    assert_eq!((app.events("email-restored"), app.count_letters(subjects::RESET_PASSWORD).await), (1, 1));
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
}

#[actix_web::test]
async fn two_users_who_confirm_one_address_at_once_one_gets_it() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut tokens = Vec::new();
    for person in [&ada, &grace] {
        let mut browser = app.logged_in(person).await;
        ask(&mut browser, NEW).await.is(303);
        tokens.push(app.letter(NEW, subjects::CONFIRM_EMAIL).await.token());
        app.db.execute("DELETE FROM outbox");
    }
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let presses = tokens.into_iter().map(|token| {
        let mut browser = browser.copy();
        async move { browser.post("/confirm-email", &[("token", &token)]).await.status }
    });
    let mut statuses = join_all(presses).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
}

#[actix_web::test]
async fn the_old_address_takes_it_back_and_all_sessions_end() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut thief, letter) = changed(&app, &ada).await;
    // The thief changes the password, and the address a second time.
    let fields = [("current_password", ada.password), ("password", "gravel tuba otter lemon")];
    thief.fill_in("/account/password", &fields).await.is(303);
    ask(&mut thief, "further@example.org").await.is(303);
    press(&app, &app.letter("further@example.org", subjects::CONFIRM_EMAIL).await).await.is(303);
    let way_forth = app.letter(NEW, subjects::EMAIL_CHANGED).await;
    ask(&mut thief, "furthest@example.org").await.is(303);
    let pending = app.letter("furthest@example.org", subjects::CONFIRM_EMAIL).await;

    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200).is_page("mailed_link").says("ada@example.org");
    owner.post("/undo-email", &[("token", &letter.token())]).await.redirects_to("/login");
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
    assert!(!thief.is_in().await);
    for dead in [&way_forth, &pending, &letter] {
        press(&app, dead).await.is(422);
    }
    assert_eq!(address_of(&app, &ada), "ada@example.org ada@example.org");
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let fields = [("token", reset.token()), ("password", "hinge meadow oyster drum".into())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    owner.fill_in(&reset.link(), &fields).await.redirects_to("/login");
    owner.log_in(ada.email, "hinge meadow oyster drum").await.redirects_to("/home");
}

#[actix_web::test]
async fn once_the_address_is_taken_back_no_letter_that_went_elsewhere_drops_the_owners_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    // The undo link was mailed to the address that is valid again in the end.
    let mut hers = app.logged_in(&ada).await;
    app.enrol(&mut hers).await;
    let own = app.letter(ada.email, subjects::FACTOR_ADDED).await;
    app.db.execute("DELETE FROM totp; DELETE FROM recovery_codes");
    let (mut thief, taken) = changed(&app, &ada).await;
    app.enrol(&mut thief).await;
    let elsewhere = app.letter(NEW, subjects::FACTOR_ADDED).await;

    press(&app, &taken).await.redirects_to("/login");
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let fields = [("token", reset.token()), ("password", "hinge meadow oyster drum".into())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    app.browser().fill_in(&reset.link(), &fields).await.redirects_to("/login");
    let has_password = "SELECT password_hash IS NOT NULL FROM users";
    app.browser().open(&elsewhere.link()).await.is(410);
    press(&app, &elsewhere).await.is(422);
    assert!(app.db.scalar::<bool>(has_password));
    press(&app, &own).await.redirects_to("/login");
    assert!(!app.db.scalar::<bool>(has_password));
}

#[actix_web::test]
async fn links_mailed_to_the_old_address_no_longer_work() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    for _ in 0..5 {
        app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    }
    let unlock = app.letter(ada.email, subjects::REPEATED_FAILURES).await;
    // A stranger registered the address before it became Ada's.
    let fields = [("name", "Eve"), ("email", NEW), ("password", "gravel tuba otter lemon")];
    app.browser().fill_in("/register", &fields).await.is(303);
    let registration = app.letter(NEW, subjects::VERIFY_EMAIL).await;
    ask(&mut browser, NEW).await.is(303);
    press(&app, &app.letter(NEW, subjects::CONFIRM_EMAIL).await).await.is(303);
    for dead in [&reset, &unlock] {
        app.browser().open(&dead.link()).await.is(410);
        press(&app, dead).await.is(422);
    }
    press(&app, &registration).await.is(422);
}

#[actix_web::test]
async fn emails_to_one_address_are_limited() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for n in 0..5 {
        ask(&mut browser, &format!("p{n}@example.org")).await.is(303);
    }
    ask(&mut browser, "p5@example.org").await.is(429).is_refused("too-many");
    // One to the new address and one to the old one each time.
    assert_eq!(app.letters().await.len(), 10);
    // Each inbox has its own limit, regardless of who asks, and the answer stays the same.
    app.db.execute("DELETE FROM throttles");
    for _ in 0..2 {
        for _ in 0..4 {
            ask(&mut browser, NEW).await.is(303);
        }
        app.db.execute("DELETE FROM throttles WHERE bucket LIKE 'write:%'");
    }
    assert_eq!((app.letters().await.len(), app.count_letters(subjects::CONFIRM_EMAIL).await), (23, 10));
}
