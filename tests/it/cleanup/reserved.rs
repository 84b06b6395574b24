//! The old address of an account stays reserved while the change can be undone: no other account can get it in any way.

use diesel::connection::SimpleConnection as _;
use futures_util::future::join;

use crate::cleanup::scene::{link_to, press};
use crate::support::app::{Letter, Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};
use crate::support::subjects;

const NEW: &str = "countess@example.org";
const PASSWORD: &str = "canyon walnut scarf ladder";

/// Changes the address of Ada's account; returns the email to the old address with the undo link.
async fn changed(app: &TestApp, ada: &Person) -> Letter {
    let mut thief = app.logged_in(ada).await;
    thief.fill_in("/account/email", &[("email", NEW)]).await.redirects_to("/account/email");
    press(app, &link_to(app, NEW, "/confirm-email").await).await.redirects_to("/login");
    link_to(app, ada.email, "/undo-email").await
}

async fn register(browser: &mut Browser, email: &str) -> (u16, Option<String>, String) {
    let fields = [("name", "Eve"), ("email", email), ("password", PASSWORD)];
    let answer = browser.fill_in("/register", &fields).await;
    (answer.status, answer.header("location").map(str::to_owned), answer.body)
}

/// In a browser that did not register, so the page asks for the password.
async fn verify(app: &TestApp, letter: &Letter) -> Answer {
    let mut browser = app.browser();
    browser.open(&letter.link()).await;
    browser.post("/verify-email", &[("token", &letter.token()), ("password", PASSWORD)]).await
}

fn accounts(db: &TestDb, email: &str) -> i64 {
    db.scalar(&format!("SELECT count(*) FROM users WHERE email_key = '{email}'"))
}

#[actix_web::test]
async fn it_is_answered_as_a_taken_one_wherever_it_is_entered() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let way_back = changed(&app, &ada).await;

    let mut stranger = app.browser();
    let answers = [register(&mut stranger, ada.email).await, register(&mut stranger, grace.email).await];
    assert_eq!(answers[0], answers[1]);
    let told = app.letter(ada.email, subjects::ADDRESS_RESERVED).await;
    assert!(
        !told.text.contains("Ada") && !told.text.contains(NEW) && !told.text.contains("token="),
        "{}",
        told.text
    );

    let mut office = app.logged_in(&grace).await;
    office.fill_in("/admin/invitations", &[("email", ada.email)]).await.is(422).is_refused("registered");
    office.fill_in("/account/email", &[("email", "ADA@example.org")]).await.redirects_to("/account/email");
    assert_eq!(app.count_letters(subjects::ADDRESS_RESERVED).await, 2);

    let latchkey = Latchkey::on(&app.db.url());
    let made = latchkey.run(&["user", "create", "--email", ada.email, "--name", "Eve"]);
    assert_eq!(made.refused(), "a user with this address already exists");
    let file = std::env::temp_dir().join(format!("reserved-{}.csv", uuid::Uuid::new_v4()));
    std::fs::write(
        &file,
        format!("email,name,password_hash,role,created_at\n{},Eve,,,\nfree@example.org,Free,,,\n", ada.email),
    )
    .unwrap();
    let path = file.to_str().unwrap();
    for dry in [true, false] {
        let arguments = ["user", "import", path, "--dry-run"];
        latchkey.run(if dry { &arguments } else { &arguments[..3] });
        assert_eq!(accounts(&app.db, ada.email), 0);
    }
    assert_eq!(accounts(&app.db, "free@example.org"), 1);
    std::fs::remove_file(file).unwrap();

    press(&app, &way_back).await.redirects_to("/login");
    assert_eq!((accounts(&app.db, ada.email), accounts(&app.db, NEW)), (1, 0));
}

#[actix_web::test]
async fn neither_an_earlier_registration_nor_an_earlier_invitation_nor_a_request_gets_it() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    changed(&app, &ada).await;
    // As if they had been requested before the address was Ada's.
    let mut stranger = app.browser();
    register(&mut stranger, "free@example.org").await;
    let registration = link_to(&app, "free@example.org", "/verify-email").await;
    app.db.execute(&format!("UPDATE registrations SET email = '{0}', email_key = '{0}'", ada.email));
    verify(&app, &registration).await.is(422);
    let mut rival = app.logged_in(&grace).await;
    rival.fill_in("/account/email", &[("email", "free@example.org")]).await.redirects_to("/account/email");
    let confirm = link_to(&app, "free@example.org", "/confirm-email").await;
    app.db.execute(&format!(
        "UPDATE account_links SET email = '{}' WHERE purpose = 'confirm-email'",
        ada.email
    ));
    press(&app, &confirm).await.is(422);
    assert_eq!(accounts(&app.db, ada.email), 0);
}

#[actix_web::test]
async fn its_own_account_may_go_back_to_it_and_others_may_have_it_when_the_time_is_over() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    changed(&app, &ada).await;
    let mut browser = app.browser();
    browser.log_in(NEW, ada.password).await.redirects_to("/home");
    browser.fill_in("/account/email", &[("email", ada.email)]).await.redirects_to("/account/email");
    press(&app, &link_to(&app, ada.email, "/confirm-email").await).await.redirects_to("/login");
    assert_eq!((accounts(&app.db, ada.email), accounts(&app.db, NEW)), (1, 0));
    // The reverse: the address that it left last is reserved for it.
    register(&mut app.browser(), NEW).await;
    app.letter(NEW, subjects::ADDRESS_RESERVED).await;
    // Links of older versions have no key.
    app.db.execute("UPDATE account_links SET email_key = NULL WHERE purpose = 'undo-email'");
    register(&mut app.browser(), "Countess@Example.org").await;
    assert_eq!(app.count_letters(subjects::ADDRESS_RESERVED).await, 2);
    app.db.execute("UPDATE account_links SET expires_at = now() WHERE purpose = 'undo-email'");
    register(&mut app.browser(), NEW).await;
    verify(&app, &link_to(&app, NEW, "/verify-email").await).await.redirects_to("/login");
    assert_eq!(accounts(&app.db, NEW), 1);
}

#[actix_web::test]
async fn a_registration_that_waits_for_the_change_to_commit_does_not_get_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    register(&mut app.browser(), "free@example.org").await;
    let registration = link_to(&app, "free@example.org", "/verify-email").await;
    app.db.execute(&format!("UPDATE registrations SET email = '{0}', email_key = '{0}'", ada.email));
    // The change, up to its commit.
    let mut change = app.db.connect();
    change
        .batch_execute(&format!(
            "BEGIN; UPDATE users SET email = '{NEW}', email_key = '{NEW}' WHERE id = '{0}';
             INSERT INTO account_links (token_hash, user_id, purpose, email, email_key, expires_at)
             VALUES (sha256('x'), '{0}', 'undo-email', '{1}', '{1}', now() + interval '7 days')",
            ada.id, ada.email
        ))
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let commit = async {
        eventually("the registration at the address", async || {
            (app.db.scalar::<i64>(waits) == 1).then_some(())
        })
        .await;
        change.batch_execute("COMMIT").unwrap();
    };
    let (answer, ()) = join(verify(&app, &registration), commit).await;
    answer.is(422);
    assert_eq!(accounts(&app.db, ada.email), 0);
}
