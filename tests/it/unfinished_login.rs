//! The right password in a new browser without a second step: the owner is notified after the pending log-in expires, at
//! most once a day, regardless of how the log-in ended (ASVS 5.0 6.3.5).

use futures_util::future::join_all;
use latchkey::config::Transport;

use crate::support::app::{Person, TestApp};
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::browser::Browser;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};
use crate::support::subjects;

/// Ada has an authenticator app. Returns her browser and the app.
async fn house() -> (TestApp, Person, Browser, AuthenticatorApp, Vec<String>) {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut own = app.logged_in(&ada).await;
    let (authenticator, codes) = app.enrol(&mut own).await;
    (app, ada, own, authenticator, codes)
}

/// Eleven minutes pass, and an instance checks.
async fn later(app: &TestApp) -> usize {
    app.db.execute(
        "UPDATE unfinished_logins SET created_at = created_at - interval '11 minutes', \
             due_at = due_at - interval '11 minutes'; \
         UPDATE pending_logins SET expires_at = expires_at - interval '11 minutes'",
    );
    app.accounts.login.notify_unfinished_logins().await.unwrap()
}

#[actix_web::test]
async fn the_owner_is_told_when_from_where_and_what_to_do_once_the_time_is_over() {
    let (app, ada, ..) = house().await;
    let mut stranger = app.browser();
    stranger.headers.push(("user-agent", "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0".into()));
    stranger.log_in(ada.email, ada.password).await.redirects_to("/login/second-factor");
    // Not earlier, because the code may still be entered.
    assert_eq!(app.accounts.login.notify_unfinished_logins().await.unwrap(), 0);
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 0);
    assert_eq!(later(&app).await, 1);
    let letter = app.letter(ada.email, subjects::SECOND_STEP_MISSING).await;
    for words in ["from Firefox on Windows at 127.0.0.1", "no one got in", "set a new one now"] {
        assert!(letter.text.contains(words), "{words}: {}", letter.text);
    }
    assert_eq!(letter.link(), "/forgot-password");
    let entered: String = app.db.scalar(
        "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '11 minutes', 'FMDD FMMonth YYYY, HH24:')",
    );
    assert!(letter.text.contains(&format!("on {entered}")), "{entered}: {}", letter.text);
    assert_eq!(later(&app).await, 0);
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 1);
}

#[actix_web::test]
async fn a_completed_second_step_and_a_browser_that_is_known_are_not_told_of() {
    let (app, ada, mut own, authenticator, codes) = house().await;
    let mut new = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    new.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
    let mut another = app.pending(&ada).await;
    another.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
    own.get("/home").await.is(200);
    own.post("/logout", &[]).await.is(303);
    own.log_in(ada.email, ada.password).await.redirects_to("/login/second-factor");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 0);
    assert_eq!(later(&app).await, 0);
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 0);
}

#[actix_web::test]
async fn however_it_ended_the_owner_is_told() {
    for end in ["wrong codes", "start again", "a new password", "pushed out", "the session command"] {
        let (app, ada, mut own, _, codes) = house().await;
        let mut stranger = app.pending(&ada).await;
        match end {
            "wrong codes" => {
                for _ in 0..10 {
                    stranger.post("/login/second-factor", &[("code", "AAAA")]).await.is(422);
                }
                stranger.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/login");
            }
            "start again" => {
                stranger.post("/logout", &[]).await.redirects_to("/login");
            }
            "a new password" => {
                let new = "analytical engines weave patterns";
                let fields = [("current_password", ada.password), ("password", new)];
                own.fill_in("/account/password", &fields).await.redirects_to("/account/password");
            }
            "pushed out" => {
                for _ in 0..12 {
                    app.pending(&ada).await;
                }
            }
            _ => {
                // The sweep does it as well, for operators who only run the command.
                app.db.execute("UPDATE unfinished_logins SET due_at = now()");
                app.accounts.maintenance.purge().await.unwrap();
            }
        }
        later(&app).await;
        assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 1, "{end}");
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 0, "{end}");
    }
}

#[actix_web::test]
async fn one_letter_a_day_to_each_owner_however_many_log_ins_and_instances() {
    let (app, ada, ..) = house().await;
    let mary = app.mary().await;
    app.enrol(&mut app.logged_in(&mary).await).await;
    let other = app.beside(|_| {});
    for _ in 0..6 {
        app.pending(&ada).await;
        app.pending(&mary).await;
    }
    app.db.execute("UPDATE unfinished_logins SET due_at = now()");
    let instances = [&app, &other, &app, &other];
    let looked = join_all(instances.map(|instance| instance.accounts.login.notify_unfinished_logins())).await;
    assert_eq!(looked.into_iter().map(Result::unwrap).sum::<usize>(), 12);
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 2);
    app.letter(ada.email, subjects::SECOND_STEP_MISSING).await;
    app.letter(mary.email, subjects::SECOND_STEP_MISSING).await;
    // The sweep deletes counters, but not this one.
    app.pending(&ada).await;
    app.db.execute("UPDATE throttles SET counting_since = counting_since - interval '23 hours', blocked_until = blocked_until - interval '23 hours'");
    app.accounts.maintenance.purge().await.unwrap();
    later(&app).await;
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 2);
    // A day later the owner is notified again.
    app.pending(&ada).await;
    app.db.execute("UPDATE throttles SET counting_since = counting_since - interval '2 hours', blocked_until = blocked_until - interval '2 hours'");
    later(&app).await;
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 3);
}

#[actix_web::test]
async fn a_stranger_with_the_password_fills_no_table() {
    let (app, ada, ..) = house().await;
    for _ in 0..13 {
        app.pending(&ada).await;
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 10);
}

#[actix_web::test]
async fn a_user_disabled_meanwhile_is_not_notified_and_without_mail_nothing_is_stored() {
    let (app, ada, ..) = house().await;
    app.pending(&ada).await;
    app.db.execute("UPDATE users SET disabled_at = now()");
    assert_eq!(later(&app).await, 1);
    assert_eq!(app.count_letters(subjects::SECOND_STEP_MISSING).await, 0);

    let silent = TestApp::spawn_with(|settings| settings.mail.transport = Transport::None);
    let ada = silent.ada().await;
    silent.enrol(&mut silent.logged_in(&ada).await).await;
    silent.pending(&ada).await;
    assert_eq!(silent.db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 0);
}

#[actix_web::test]
async fn notices_due_while_no_instance_ran_are_sent_at_the_next_start() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let mut running = latchkey.serve_ready().await;
    db.execute(
        "INSERT INTO users (email, email_key, name) VALUES ('ada@example.org', 'ada@example.org', 'Ada'); \
         INSERT INTO unfinished_logins (key_hash, user_id, address, user_agent, due_at) \
         SELECT sha256('x'), id, '192.0.2.7', 'curl/8', now() + interval '1 hour' FROM users",
    );
    running.kill().await;
    db.execute("UPDATE unfinished_logins SET due_at = now() - interval '1 hour'");
    let _running = latchkey.with("LATCHKEY__MAIL__SMTP_URL", "smtp://127.0.0.1:1").serve_ready().await;
    let written = format!(
        "SELECT count(*) FROM outbox WHERE subject = '{}' AND recipient = 'ada@example.org'",
        subjects::SECOND_STEP_MISSING
    );
    eventually("the letter", async || (db.scalar::<i64>(&written) == 1).then_some(())).await;
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM unfinished_logins"), 0);
}
