//! Registering.

use futures_util::future::join_all;
use latchkey::config::{RegistrationMode, Transport};

use crate::support::app::TestApp;
use crate::support::browser::Answer;
use crate::support::subjects;

const GOOD: &str = "gravel tuba otter lemon";

fn whole(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let told = |name: &str| !["date", "set-cookie"].contains(&name);
    let headers = answer.headers.iter().filter(|(name, _)| told(name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    (answer.status, headers, answer.body.clone())
}

#[actix_web::test]
async fn registering_creates_no_user_until_the_address_is_verified() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let fields = [("name", "Alan Turing"), ("email", "Alan@Example.org"), ("password", GOOD)];
    browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    browser.get("/register/check-email").await.is(200).is_page("register/check_email");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 0);
    browser.log_in("alan@example.org", GOOD).await.is(422);
    let letter = app.letter("Alan@Example.org", subjects::VERIFY_EMAIL).await;
    // The email omits the name: with it, a visitor could write text to any address by registering it.
    assert!(!letter.text.contains("Alan Turing") && letter.text.contains("24 hours"), "{}", letter.text);
    let link = letter.link();
    browser.open(&link).await.is(200);
    browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    browser.get("/login").await.has_flash("verified");
    browser.log_in("alan@example.org", GOOD).await.redirects_to("/home");
    browser.get("/account").await.says("Alan Turing").says("Alan@Example.org");
}

#[actix_web::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_a_letter() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let fields = |email| [("name", "Eve"), ("email", email), ("password", GOOD)];
    let taken = browser.fill_in("/register", &fields("ADA@example.org")).await;
    let free = browser.fill_in("/register", &fields("eve@example.org")).await;
    assert_eq!(whole(&taken), whole(&free));
    let letter = app.letter(ada.email, subjects::ALREADY_REGISTERED).await;
    assert!(!letter.text.contains("Ada Lovelace") && !letter.text.contains("token"), "{}", letter.text);
    let letters = app.letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM registrations WHERE email_key = 'ada@example.org'"),
        0
    );
    app.logged_in(&ada).await;
}

#[actix_web::test]
async fn registering_a_disabled_users_address_gets_the_same_answer_and_creates_no_user() {
    let app = TestApp::spawn();
    app.ada().await;
    app.db.execute("UPDATE users SET disabled_at = now()");
    let mut browser = app.browser();
    let fields = [("name", "Eve"), ("email", "ada@example.org"), ("password", GOOD)];
    browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    for letter in app.letters().await.iter().filter(|letter| letter.subject == subjects::VERIFY_EMAIL) {
        browser.open(&letter.link()).await;
        browser.post("/verify-email", &[("token", &letter.token())]).await.is(422);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
    browser.log_in("ada@example.org", GOOD).await.is(422);
}

#[actix_web::test]
async fn an_error_stands_beside_its_field_and_other_input_is_kept() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let fields = [("name", "  "), ("email", "alan@"), ("password", "short")];
    let refused = browser.fill_in("/register", &fields).await;
    assert_eq!(refused.is(422).refusals(), ["empty", "invalid-email", "too-short"]);
    for field in ["name", "email", "password"] {
        let input = format!("#{field}[aria-invalid=true][aria-describedby~={field}-error]");
        assert_eq!(refused.count(&input), 1, "{field}");
        assert_eq!(refused.count(&format!("#{field}-error")), 1, "{field}");
    }
    assert_eq!(refused.attribute("#email", "value").as_deref(), Some("alan@"));
    assert_eq!(refused.attribute("#password", "value"), None);
    assert_eq!(app.letters().await.len(), 0);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
}

#[actix_web::test]
async fn weak_passwords_are_refused_with_the_reason_and_never_echoed() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    for (password, why) in [
        ("fourteen chars", "too-short"),
        ("mailcreated5240", "listed"),
        ("password2024!!!!", "padded-word"),
        ("qwertyuiop[]asdf", "pattern"),
        ("otter7otter7otter7", "repeats"),
        ("Alan Turing 1912", "about-you"),
        ("localhostlocalhost1", "about-you"),
        ("latchkey-latchkey1", "about-you"),
        (&"gravel tuba otter lemon ".repeat(6), "too-long"),
        ("", "too-short"),
    ] {
        let fields = [("name", "Alan Turing"), ("email", "alan@example.org"), ("password", password)];
        let refused = browser.fill_in("/register", &fields).await;
        refused.is(422).is_refused(why);
        if !password.is_empty() {
            refused.does_not_say(password).has_notice("strength");
        }
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
}

#[actix_web::test]
async fn long_unicode_and_spaced_passwords_are_fine() {
    let app = TestApp::spawn();
    for (n, password) in [
        "Жираф пьёт чай молча",
        "  gravel  tuba  otter  ",
        "<b>otter & \"tuba\" %41</b>",
        "💡🚪🔑🧭🪵🐎🧶🪁🫖🎺🛶🧊🪴🦔🧲",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{n}@example.org");
        let mut browser = app.browser();
        let fields = [("name", "P"), ("email", &email), ("password", password)];
        browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
        let letter = app.letter(&email, subjects::VERIFY_EMAIL).await;
        browser.open(&letter.link()).await;
        browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
        let trimmed = app.browser().log_in(&email, password.trim()).await;
        trimmed.is(if password.trim() == password { 303 } else { 422 });
        app.browser().log_in(&email, password).await.is(303);
    }
}

#[actix_web::test]
async fn showing_the_password_returns_the_form_and_registers_no_user() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD), ("show", "1")];
    let shown = browser.fill_in("/register", &fields).await;
    assert_eq!(shown.is(200).attribute("#password", "value").as_deref(), Some(GOOD));
    assert_eq!(shown.attribute("#name", "value").as_deref(), Some("Alan"));
    assert_eq!(app.letters().await.len(), 0);
}

#[actix_web::test]
async fn an_inbox_gets_five_letters_an_hour_and_the_answer_stays_the_same() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD)];
    for _ in 0..8 {
        browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    }
    let letters = app.letters().await.len();
    assert!((5..=6).contains(&letters), "{letters} letters");
    let forgot = [("email", "alan@example.org")];
    browser.fill_in("/forgot-password", &forgot).await.redirects_to("/forgot-password/sent");
    assert_eq!(app.letters().await.len(), letters);
    app.wait_out_throttles();
    browser.fill_in("/register", &fields).await.is(303);
    assert_eq!(app.letters().await.len(), letters + 1);
}

#[actix_web::test]
async fn one_address_can_ask_only_so_often() {
    let app = TestApp::spawn_with(|settings| settings.throttle.asks_per_hour = 3);
    let mut browser = app.browser();
    let mut answers = Vec::new();
    for n in 0..6 {
        let email = format!("p{n}@example.org");
        let fields = [("name", "Alan"), ("email", email.as_str()), ("password", GOOD)];
        answers.push(browser.fill_in("/register", &fields).await);
    }
    let refused = answers.last().unwrap();
    refused.is(429).is_refused("too-many").does_not_say(GOOD);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 3000);
    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), app.letters().await.len());
}

#[actix_web::test]
async fn closed_registration_accepts_no_user_and_offers_no_form() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Closed);
    let mut browser = app.browser();
    browser.get("/register").await.is(200).is_refused("closed");
    browser.get("/").await.is(200).does_not_say("/register");
    browser.open("/login").await.is(200).does_not_say("/register");
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD)];
    browser.post("/register", &fields).await.is(422).is_refused("closed");
    assert_eq!(app.letters().await.len(), 0);
}

#[actix_web::test]
async fn by_invitation_only_the_invited_address_can_register() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let grace = app.grace().await;
    let mut browser = app.browser();
    browser.get("/register").await.is(200).is_refused("not-invited");
    for invite in ["", "x", &"A".repeat(43)] {
        let fields =
            [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD), ("invite", invite)];
        browser.fill_in("/register", &fields).await.is(422).is_refused("not-invited");
    }
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let letter = app.letter("alan@example.org", subjects::INVITATION).await;
    let token = letter.token();
    let form = browser.open(&letter.link()).await;
    assert_eq!(form.attribute("#email", "value").as_deref(), Some("alan@example.org"));
    let fields = |email| [("name", "Alan"), ("email", email), ("password", GOOD), ("invite", token.as_str())];
    browser.post("/register", &fields("eve@example.org")).await.is(422).is_refused("not-invited");
    browser.post("/register", &fields("Alan@example.org")).await.redirects_to("/register/check-email");
    let letter = app.letter("Alan@example.org", subjects::VERIFY_EMAIL).await;
    browser.open(&letter.link()).await;
    browser.post("/verify-email", &[("token", &letter.token())]).await.redirects_to("/login");
    browser.log_in("alan@example.org", GOOD).await.redirects_to("/home");
    admin.get("/admin/invitations").await.has_state("accepted");
    let mut late = app.browser();
    late.fill_in("/register", &fields("alan@example.org")).await.is(422);
}

#[actix_web::test]
async fn withdrawn_expired_and_replaced_invitations_open_nothing() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    let invite = [("email", "alan@example.org")];
    let subject = subjects::INVITATION;
    let mut links = Vec::new();
    for end in [
        "UPDATE invitations SET withdrawn_at = now()",
        "UPDATE invitations SET expires_at = now()",
        "UPDATE outbox SET created_at = created_at - interval '1 minute'",
    ] {
        admin.fill_in("/admin/invitations", &invite).await.is(303);
        links.push(app.letter("alan@example.org", subject).await);
        app.db.execute(end);
        app.db.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'");
    }
    admin.fill_in("/admin/invitations", &invite).await.is(303);
    let mut browser = app.browser();
    for dead in links {
        browser.open(&dead.link()).await.is_refused("not-invited");
        let token = dead.token();
        let fields =
            [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD), ("invite", &token)];
        browser.post("/register", &fields).await.is(422);
    }
    let alive = app.letter("alan@example.org", subject).await.token();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD), ("invite", &alive)];
    browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
}

#[actix_web::test]
async fn an_invitation_withdrawn_before_the_address_is_verified_admits_no_user() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let invite = app.letter("alan@example.org", subjects::INVITATION).await.token();
    let mut browser = app.browser();
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD), ("invite", &invite)];
    browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    let id: String = app.db.scalar("SELECT id::text FROM invitations");
    admin.get("/admin/invitations").await.is(200);
    admin.post(&format!("/admin/invitations/{id}/withdraw"), &[]).await.is(303);
    let token = app.letter("alan@example.org", subjects::VERIFY_EMAIL).await.token();
    browser.get("/login").await.is(200);
    browser.post("/verify-email", &[("token", &token)]).await.is(422);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
    admin.get("/admin/invitations").await.has_state("withdrawn").has_no_state("accepted");
}

#[actix_web::test]
async fn a_logged_in_user_is_not_asked_to_register() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await.get("/register").await.redirects_to("/home");
}

#[actix_web::test]
async fn without_mail_registration_is_not_offered_and_creates_nothing() {
    let app = TestApp::spawn_with(|settings| settings.mail.transport = Transport::None);
    let mut browser = app.browser();
    // A form that cannot be completed is not offered.
    let page = browser.get("/register").await;
    page.is(200).is_refused("no-mail").does_not_say("name=\"password\"");
    browser.get("/").await.is(200).does_not_say("/register");
    browser.open("/login").await.is(200).does_not_say("/register");
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", GOOD)];
    let answer = browser.post("/register", &fields).await;
    answer.is(422).is_refused("no-mail").does_not_say("name=\"password\"");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 0);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox"), 0);
}

#[actix_web::test]
async fn ten_registrations_at_once_of_one_address_become_one_person() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/register").await.is(200);
    for round in 1..=4 {
        let email = format!("alan{round}@example.org");
        let posts = (0..10).map(|n| {
            let (mut browser, email) = (browser.copy(), email.clone());
            async move {
                let name = format!("Alan {n}");
                let fields = [("name", name.as_str()), ("email", &email), ("password", GOOD)];
                browser.post("/register", &fields).await.status
            }
        });
        assert_eq!(join_all(posts).await, [303; 10]);
        let letters = app.letters().await.into_iter().filter(|letter| letter.to == email);
        let posts = letters.map(|letter| {
            let mut browser = browser.copy();
            let token = letter.token();
            async move {
                browser.post("/verify-email", &[("token", &token), ("password", GOOD)]).await.status
            }
        });
        let mut statuses = join_all(posts).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422, 422, 422, 422]);
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), round);
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
    }
}
