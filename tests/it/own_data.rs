//! Exporting a user's own data, and deleting an account: logged out at once, restorable for a while, then erased.

use futures_util::future::join;
use latchkey::config::Transport;
use latchkey::db::Refusable as _;
use reqwest::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::Value;

use crate::support::app::{Person, TestApp};
use crate::support::subjects;

/// Ends the grace period of the deletion.
fn let_it_pass(app: &TestApp) {
    app.db.execute(
        "UPDATE users SET delete_after = now() - interval '1 second' WHERE delete_after IS NOT NULL",
    );
}

async fn leave(app: &TestApp, person: &Person) {
    let mut browser = app.logged_in(person).await;
    browser.fill_in("/account/delete", &[("email", person.email)]).await.redirects_to("/login");
}

#[actix_web::test]
async fn the_export_has_everything_about_the_person_and_nothing_that_opens_anything() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let mut browser = app.logged_in(&ada).await;
    app.logged_in(&grace).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    let app_key = app.app_key(&browser).await;

    let answer = browser.get("/account/export").await;
    answer.is(200);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[CONTENT_DISPOSITION], "attachment; filename=\"latchkey-export.json\"");
    assert!(answer.headers[CACHE_CONTROL].to_str().unwrap().contains("no-store"));
    let all: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(all["format"], "latchkey-export-1");
    assert_eq!(
        (&all["profile"]["email"], &all["profile"]["has_password"]),
        (&ada.email.into(), &true.into())
    );
    assert_eq!(all["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(
        (all["apps"].as_array().unwrap().len(), &all["apps"][0]["session"], &all["apps"][0]["origin"]),
        (1, &all["sessions"][0]["handle"], &"https://wiki.example.org".into())
    );
    assert_eq!(all["links"][0]["purpose"], "reset_password");
    assert_eq!(all["letters"].as_array().unwrap().len(), 1);
    let acts: Vec<_> =
        all["events"].as_array().unwrap().iter().map(|event| event["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["reset-requested", "logged-in", "log-in-refused", "exported"]);

    for hidden in
        ["hash", "sealed", "token", "$argon2", grace.email, &grace.id.to_string(), ada.password, &app_key]
    {
        let found = answer.body.replace("has_password", "").replace("\"tokens\"", "").contains(hidden);
        assert!(!found, "{hidden} in {}", answer.body);
    }
    app.age_confirmations();
    browser.get("/account/export").await.redirects_to("/confirm?next=/account/export");
}

/// A new table or column with a user's data has to be considered: which part of it is exported, and how it is deleted
/// with the user. Add it here once both are done.
#[actix_web::test]
async fn no_table_about_people_is_forgotten() {
    let thought_of = [
        "account_links.email",
        "account_links.email_key",
        "account_links.session",
        "account_links.user_id",
        // Of one minute, and deleted with it.
        "app_entries.session",
        // What a header contains.
        "apps.remote_user",
        "audit_events.actor",
        "audit_events.session",
        "audit_events.subject",
        // A keyed digest of an address without an account.
        "decoy_tokens.account",
        "group_members.added_by",
        "group_members.user_id",
        "invitations.email",
        "invitations.invited_by",
        "known_browsers.user_id",
        "outbox.recipient",
        "passkeys.user_id",
        "password_lanes.user_id",
        "pending_logins.user_id",
        "recovery_codes.user_id",
        "registrations.email",
        "registrations.email_key",
        "session_keys.session",
        "sessions.principal",
        "tokens.user_id",
        "totp.user_id",
        "unfinished_logins.user_id",
        "user_tokens.user_id",
        "users.email",
        "users.email_key",
    ];
    let app = TestApp::spawn();
    let found: String = app.db.scalar(
        "SELECT string_agg(DISTINCT c.relname || '.' || a.attname, ' ' ORDER BY c.relname || '.' || a.attname)
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_constraint f ON f.contype = 'f' AND f.conrelid = c.oid AND a.attnum = ANY (f.conkey)
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_\\_diesel%'
           AND (f.confrelid = 'users'::regclass
                OR a.attname ~ '(^|_)(user|person|account|owner|principal|subject|actor|recipient|e?mail|session)(_id|_key|_handle)?$'
                   AND NOT (c.relname = 'outbox' AND a.attname = 'subject'))",
    );
    assert_eq!(found.split(' ').collect::<Vec<_>>(), thought_of);
}

#[actix_web::test]
async fn deleting_an_account_ends_its_sessions_everywhere_and_notifies_the_user() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let link = app.letters().await[0].link();
    let (mut here, mut elsewhere) = (app.logged_in(&ada).await, app.logged_in(&ada).await);
    here.get("/account/delete").await.is(200).says("14 days").says(ada.email);
    for other in ["", "grace@example.org", "ada", "ada@example.org.evil.example"] {
        here.fill_in("/account/delete", &[("email", other)]).await.is(422);
    }
    assert_eq!(app.live_sessions(&ada), 2);
    here.fill_in("/account/delete", &[("email", " ADA@example.org")]).await.redirects_to("/login");
    here.get("/login").await.has_flash("leaving");
    assert!(!here.is_in().await && !elsewhere.is_in().await);
    assert_eq!(app.live_sessions(&ada), 0);
    app.browser().open(&link).await.is_refused("dead-link");
    let letter = app.letter(ada.email, subjects::LEAVING).await;
    assert!(letter.text.contains("log in before then to keep the account"), "{}", letter.text);
    let grace = app.grace().await;
    app.logged_in(&grace).await.get("/admin/users").await.has_state("leaving");
}

#[actix_web::test]
async fn logging_in_in_time_restores_everything_and_says_so() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    leave(&app, &ada).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    assert_eq!(app.events("deletion-cancelled"), 0);
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.has_flash("restored");
    assert_eq!((app.events("deletion-requested"), app.events("deletion-cancelled")), (1, 1));
    let_it_pass(&app);
    app.accounts.maintenance.purge().await.unwrap();
    assert!(browser.is_in().await);
    app.logged_in(&ada).await.get("/home").await.has_no_flash();
}

#[actix_web::test]
async fn after_the_time_is_over_nothing_of_them_is_left_and_the_trail_still_holds() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.browser();
    browser.headers.push(("user-agent", "Difference Engine".into()));
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "Ada@Example.org")]).await;
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, subject, detail) VALUES ('invited', '{0}', '{0}', 'ada@example.org')",
        grace.id
    ));
    // An administrator's event that says which of her sessions was ended, and on which device.
    let mut phone = app.browser();
    phone.headers.push((
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".into(),
    ));
    phone.log_in(ada.email, ada.password).await.redirects_to("/home");
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions WHERE user_agent LIKE '%Firefox%'");
    admin.post(&format!("/admin/sessions/{handle}/revoke"), &[]).await.is(303);
    assert!(app.dump().contains("Firefox on Linux"));
    leave(&app, &ada).await;
    app.accounts.maintenance.purge().await.unwrap();
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 2, "there is still time");
    let_it_pass(&app);
    let head = app.accounts.audit.trail_head().await.unwrap();
    app.accounts.maintenance.purge().await.unwrap();

    let left = app.dump();
    for line in left.lines() {
        let of_trail = line.starts_with("audit_events");
        assert!(!line.contains("Lovelace") && !line.contains("Difference Engine"), "{line}");
        assert!(!line.contains("Firefox"), "{line}");
        assert!(!line.to_lowercase().contains("ada@example.org"), "{line}");
        assert!(of_trail || !line.contains(&ada.id.to_string()), "{line}");
    }
    assert!(left.contains(&ada.id.to_string()), "the trail forgot who");
    assert_eq!(app.events("deleted"), 1);
    let intact = app.accounts.audit.verify_trail(Some(head)).await.split().unwrap().expect("a whole trail");
    assert!(intact.erased >= 4, "{intact:?}");
    app.browser().log_in(ada.email, ada.password).await.is(422);
    admin.get("/admin/audit").await.is(200).has_event("deleted");
    // The address can be registered again.
    let again = [("name", "Ada"), ("email", ada.email), ("password", "analytical-engine-1837")];
    app.browser().fill_in("/register", &again).await.is(303);
    app.letter(ada.email, subjects::VERIFY_EMAIL).await;
}

#[actix_web::test]
async fn a_deleted_account_keeps_its_address_during_the_grace_period() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    leave(&app, &ada).await;
    let again = [("name", "Eve"), ("email", ada.email), ("password", "analytical-engine-1837")];
    app.browser().fill_in("/register", &again).await.is(303);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
}

#[actix_web::test]
async fn the_last_administrator_cannot_leave_not_even_two_at_the_same_time() {
    let app = TestApp::spawn_with(|settings| settings.mail.transport = Transport::Mailbox);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut alone = app.logged_in(&grace).await;
    let page = alone.fill_in("/account/delete", &[("email", grace.email)]).await;
    page.is(422).is_refused("last-admin");
    for _ in 0..5 {
        app.db.execute("UPDATE users SET role = 'admin', delete_after = NULL");
        let (mut one, mut two) = (app.logged_in(&ada).await, app.logged_in(&grace).await);
        one.get("/account/delete").await.is(200);
        two.get("/account/delete").await.is(200);
        let (fields_one, fields_two) = ([("email", ada.email)], [("email", grace.email)]);
        let (first, second) =
            join(one.post("/account/delete", &fields_one), two.post("/account/delete", &fields_two)).await;
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422]);
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users WHERE delete_after IS NULL"), 1);
    }
}

#[actix_web::test]
async fn a_log_in_and_the_deletion_at_the_same_moment_end_in_one_or_the_other() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    leave(&app, &ada).await;
    let_it_pass(&app);
    let mut browser = app.browser();
    let (answer, tidied) =
        join(browser.log_in(ada.email, ada.password), app.accounts.maintenance.purge()).await;
    tidied.unwrap();
    let there: i64 = app.db.scalar("SELECT count(*) FROM users");
    assert_eq!(there, i64::from(answer.status == 303), "{}", answer.status);
    assert_eq!((app.live_sessions(&ada), app.events("deleted")), (there, 1 - there));
    app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
}
