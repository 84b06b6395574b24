//! No email contains text that a person typed, except for addresses. These tests cause every kind of email while typing
//! a marked word into every field; no email may contain it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use latchkey::config::Span;
use serde_json::json;

use crate::api::support::Program;
use crate::passkeys::{add, prove};
use crate::support::app::{Person, TestApp};
use crate::support::authenticator::Authenticator;
use crate::support::browser::Browser;
use crate::support::subjects;

/// As a name it satisfies every rule, and a mail program would turn it into a link.
const TYPED: &str = "Locked! Unlock at zanzibar.example";
const NEW: &str = "gravel tuba otter lemon";

/// Uses the word as the user agent.
fn stranger(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.headers.push(("user-agent", format!("{TYPED} Firefox/140.0 (Windows)")));
    browser.headers.push(("x-forwarded-for", TYPED.into()));
    browser.headers.push(("accept-language", TYPED.into()));
    browser
}

/// Logs in as `person`, and renames them.
async fn thief(app: &TestApp, person: &Person) -> Browser {
    let mut browser = stranger(app);
    browser.log_in(person.email, person.password).await.redirects_to("/home");
    browser.get("/account").await.is(200);
    browser.post("/account/profile", &[("name", TYPED)]).await.redirects_to("/account");
    browser
}

/// Emails that a stranger without a session can cause, to an owner and to an address without an account.
async fn from_outside(app: &TestApp, victim: &Person) {
    let mut browser = stranger(app);
    for email in [victim.email, "alan@example.org"] {
        let fields = [("name", TYPED), ("email", email), ("password", NEW)];
        browser.fill_in("/register", &fields).await.redirects_to("/register/check-email");
    }
    browser.fill_in("/forgot-password", &[("email", victim.email)]).await.is(303);
    for _ in 0..8 {
        browser.log_in(victim.email, TYPED).await.is(422);
    }
}

/// Emails that a thief with a stolen session can cause.
async fn from_a_session(app: &TestApp, victim: &Person, other: &Person) {
    let mut owner = app.logged_in(victim).await;
    let mut browser = thief(app, victim).await;
    browser.fill_in("/account/email", &[("email", other.email)]).await.is(303);
    // Authenticator app: added, codes created, used up, locked, removed.
    let (_, codes) = app.enrol(&mut browser).await;
    let mut waiting = app.pending(victim).await;
    waiting.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
    let mut pending = stranger(app);
    pending.log_in(victim.email, victim.password).await.redirects_to("/login/second-factor");
    app.db.execute("UPDATE unfinished_logins SET due_at = now()");
    app.accounts.login.notify_unfinished_logins().await.unwrap();
    pending.get("/login/second-factor").await.is(200);
    for code in &codes[1..] {
        let mut one = app.pending(victim).await;
        one.post("/login/second-factor", &[("code", code)]).await.redirects_to("/home");
    }
    for _ in 0..10 {
        pending.post("/login/second-factor", &[("code", "000000")]).await;
    }
    browser.get("/account/security").await.is(200);
    browser.post("/account/totp/remove", &[]).await.redirects_to("/account/security");
    // Passkey: added, renamed, copied, removed.
    let mut device = Authenticator::new(&app.origin);
    add(&mut browser, &mut device).await.is(200);
    let id: String = app.db.scalar(&format!("SELECT id::text FROM passkeys WHERE user_id = '{}'", victim.id));
    browser.get("/account/security").await.is(200);
    let path = format!("/account/passkeys/{id}");
    browser.post(&format!("{path}/rename"), &[("name", TYPED)]).await.redirects_to("/account/security");
    browser.get("/account/security").await.is(200);
    let off = [("second_step", "off")];
    browser.post("/account/passkeys/second-step", &off).await.redirects_to("/account/security");
    let mut copy = device.clone();
    for _ in 0..2 {
        prove(&mut stranger(app), &mut device).await.is(200);
    }
    prove(&mut stranger(app), &mut copy).await.is(422);
    browser.get("/account/security").await.is(200);
    browser.post(&format!("{path}/remove"), &[]).await.redirects_to("/account/security");
    let fields = [("name", TYPED), ("expires", "7d"), ("me", "1")];
    browser.fill_in("/account/tokens", &fields).await.is(200).is_page("account/tokens/created");
    // Address, password, deletion of the account.
    browser.fill_in("/account/email", &[("email", "eve@example.org")]).await.is(303);
    let confirm = app.letter("eve@example.org", subjects::CONFIRM_EMAIL).await;
    stranger(app).fill_in(&confirm.link(), &[("token", &confirm.token())]).await.redirects_to("/login");
    let fields = [("name", TYPED), ("email", victim.email), ("password", NEW)];
    stranger(app).fill_in("/register", &fields).await.redirects_to("/register/check-email");
    let fields = [("current_password", victim.password), ("password", NEW)];
    browser.fill_in("/account/password", &fields).await.redirects_to("/account/password");
    browser.fill_in("/forgot-password", &[("email", "eve@example.org")]).await.is(303);
    let reset = app.letter("eve@example.org", subjects::RESET_PASSWORD).await;
    let token = reset.token();
    let fields = [("token", token.as_str()), ("password", victim.password)];
    stranger(app).fill_in(&reset.link(), &fields).await.redirects_to("/login");
    browser.log_in("eve@example.org", victim.password).await.redirects_to("/home");
    browser.fill_in("/account/delete", &[("email", "eve@example.org")]).await.redirects_to("/login");
    let _ = owner.get("/home").await;
}

/// Every subject that the program writes, except for those with a number.
fn subjects() -> BTreeSet<String> {
    let source = |name: &str| {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)).expect("a source")
    };
    let quoted = |text: &str| text.split('"').next().unwrap_or_default().to_owned();
    let mut subjects = BTreeSet::new();
    subjects.extend(source("web/copy/mails.rs").split("subject: \"").skip(1).map(quoted));
    assert!(subjects.len() > 15, "{subjects:?}");
    subjects
}

#[actix_web::test]
async fn no_email_contains_typed_text() {
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.first_wait = Span::seconds(0);
        settings.throttle.longest_wait = Span::seconds(0);
        settings.throttle.mails_per_hour = 100;
        settings.throttle.disable_at = 8;
        settings.throttle.known_share = 2;
    });
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    from_outside(&app, &mary).await;
    from_a_session(&app, &ada, &mary).await;
    // An administrator whose session was stolen.
    let mut admin = thief(&app, &grace).await;
    admin.fill_in("/admin/invitations", &[("email", "radia@example.org")]).await.is(303);
    let mut program = Program::with_all(&app, &grace).await;
    let path = format!("/api/v1/users/{}", mary.id);
    program.put(&format!("{path}/role"), &json!({ "role": "admin" })).await.is(200);
    for disabled in [true, false] {
        program.patch(&path, &json!({ "disabled": disabled })).await.is(200);
    }

    let letters = app.accounts.mailer().mailbox(app.accounts.db()).await.unwrap();
    let mut seen = BTreeSet::new();
    for letter in letters {
        let body = letter.body.expect("a body that opens");
        for part in [&letter.subject, &body.text, &body.html] {
            assert!(!part.contains("zanzibar") && !part.contains("Locked!"), "{part}");
            for name in [ada.name, grace.name, mary.name] {
                assert!(!part.contains(name), "{part}");
            }
        }
        seen.insert(letter.subject);
    }
    let missing: Vec<_> = subjects().into_iter().filter(|subject| !seen.contains(subject)).collect();
    assert!(missing.is_empty(), "never written here: {missing:?} among {seen:?}");
    for subject in [
        "3 recovery codes are left",
        "One recovery code is left",
        "Your last recovery code was used",
        "A program changed a role",
        "A program disabled an administrator",
        "A program enabled an administrator",
    ] {
        assert!(seen.contains(subject), "{subject}");
    }
}

#[actix_web::test]
async fn a_name_that_reads_as_a_link_or_an_address_is_refused_wherever_one_is_set() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut device = Authenticator::new(&app.origin);
    add(&mut browser, &mut device).await.is(200);
    let rename =
        format!("/account/passkeys/{}/rename", app.db.scalar::<String>("SELECT id::text FROM passkeys"));
    let setup = TestApp::spawn();
    let link = setup.accounts.registration.setup_link().await.unwrap().unwrap();
    let token = link.rsplit_once('=').unwrap().1;
    let page = format!("/setup?token={token}");
    for name in
        ["Locked! Unlock at https://evil.example", "WWW.evil.example", "ada@example.org", "ada＠example.org"]
    {
        let fields = [("name", name), ("email", "alan@example.org"), ("password", NEW)];
        app.browser().fill_in("/register", &fields).await.is(422).is_refused("link");
        browser.get("/account").await.is(200);
        browser.post("/account/profile", &[("name", name)]).await.is(422).is_refused("link");
        browser.get("/account/security").await.is(200);
        browser.post(&rename, &[("name", name)]).await.is(422).is_refused("link");
        let fields = [("token", token), ("name", name), ("email", "alan@example.org"), ("password", NEW)];
        setup.browser().fill_in(&page, &fields).await.is(422).is_refused("link");
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
}
