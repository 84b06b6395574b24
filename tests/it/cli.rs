//! The operator's commands as processes: their output, their exit codes, and their effect on a running server.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Ran};

/// One JSON object per line.
fn rows(ran: &Ran) -> Vec<Value> {
    ran.well().into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many times in RFC 3339 a line contains.
fn moments(line: &str) -> usize {
    let is_moment = |word: &&str| OffsetDateTime::parse(word, &Rfc3339).is_ok();
    line.split_whitespace().filter(is_moment).count()
}

fn path(link: &str, latchkey: &Latchkey) -> String {
    link.strip_prefix(&latchkey.origin()).unwrap().to_owned()
}

#[actix_web::test]
async fn a_user_made_by_the_operator_chooses_a_password_with_the_link_and_logs_in() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let running = latchkey.serve_ready().await;
    let ran =
        latchkey.run(&["user", "create", "--email", "Ada@example.org", "--name", "Ada Lovelace", "--admin"]);
    let [link] = ran.well()[..] else { panic!("{}", ran.out) };

    let mut ada = running.browser();
    let link = path(link, &latchkey);
    let token = link.strip_prefix("/reset-password?token=").unwrap();
    let fields = [("token", token), ("password", "poetical-science-1843")];
    ada.fill_in(&link, &fields).await.redirects_to("/login");
    ada.log_in("ada@example.org", "poetical-science-1843").await.redirects_to("/home");
    ada.get("/admin").await.is(200);
    ada.fill_in(&link, &fields).await.is(422).is_refused("dead-link");

    let again = latchkey.run(&["user", "create", "--email", "ada@example.org", "--name", "Eve"]);
    assert_eq!(again.refused(), "a user with this address already exists");
    for (email, name, why) in
        [("nobody", "Eve", "is not an email address"), ("eve@example.org", "", "Enter a name")]
    {
        let ran = latchkey.run(&["user", "create", "--email", email, "--name", name]);
        assert!(ran.refused().contains(why), "{}", ran.err);
    }
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM users"), 1);
}

#[actix_web::test]
async fn a_reset_link_works_in_the_browser_and_ends_every_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    let mut before = running.browser();
    before.log_in(ada.email, ada.password).await.redirects_to("/home");

    let ran = latchkey.run(&["user", "reset-link", "ADA@example.org"]);
    let link = path(ran.well()[0], &latchkey);
    let mut browser = running.browser();
    browser.open(&link).await.is(200);
    before.get("/home").await.is(200);
    let token = link.rsplit_once('=').unwrap().1;
    let fields = [("token", token), ("password", "analytical-engine-1837")];
    browser.post("/reset-password", &fields).await.redirects_to("/login");
    before.get("/home").await.redirects_to("/login");
    browser.log_in(ada.email, ada.password).await.is(422);
    browser.log_in(ada.email, "analytical-engine-1837").await.redirects_to("/home");

    let ran = latchkey.run(&["user", "reset-link", "nobody@example.org"]);
    assert_eq!(ran.refused(), "there is no active user nobody@example.org");
}

#[test]
fn lists_are_for_people_and_as_json_for_programs() {
    let app = TestApp::spawn();
    actix_web::rt::System::new().block_on(async {
        let (ada, _) = (app.ada().await, app.grace().await);
        app.logged_in(&ada).await;
    });
    let latchkey = Latchkey::on(&app.db.url());

    let ran = latchkey.run(&["user", "list", "--json"]);
    let mut users = rows(&ran);
    users.sort_by_key(|user| user["email"].to_string());
    assert_eq!(users.len(), 2);
    assert_eq!(users[0]["email"], "ada@example.org");
    assert_eq!(users[0]["name"], "Ada Lovelace");
    assert_eq!((&users[0]["role"], &users[1]["role"]), (&"member".into(), &"admin".into()));
    assert_eq!((&users[0]["state"], &users[0]["sessions"]), (&"active".into(), &1.into()));
    assert_eq!(rows(&latchkey.run(&["user", "list", "hopper", "--json"])).len(), 1);
    assert_eq!(latchkey.run(&["user", "list", "nobody"]).well(), ["No user matches \"nobody\"."]);
    assert!(latchkey.run(&["user", "list", "nobody", "--json"]).well().is_empty());
    let ran = latchkey.run(&["user", "list", "hopper"]);
    let [head, line] = ran.well()[..] else { panic!("{}", ran.out) };
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>().join(" "),
        "EMAIL ROLE STATE SESSIONS REGISTERED LAST LOG-IN NAME"
    );
    assert!(line.starts_with("grace@example.org ") && line.contains(" admin "), "{line}");
    assert_eq!(moments(line), 1, "{line}");
    assert!(line.contains("never") && line.ends_with(" Grace Hopper"), "{line}");

    let sessions = rows(&latchkey.run(&["session", "list", "--json"]));
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions");
    assert_eq!(sessions.len(), 1);
    assert_eq!(
        (&sessions[0]["handle"], &sessions[0]["email"]),
        (&handle.clone().into(), &"ada@example.org".into())
    );
    assert!(sessions[0]["logged_in"].as_i64() <= sessions[0]["last_seen"].as_i64());
    let ran = latchkey.run(&["session", "list", "lovelace"]);
    let [head, line] = ran.well()[..] else { panic!("{}", ran.out) };
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>().join(" "),
        "HANDLE USER DEVICE LOGGED IN LAST SEEN ADDRESS"
    );
    assert!(line.starts_with(&handle), "{line}");
    assert_eq!(moments(line), 2, "{line}");
    assert_eq!(latchkey.run(&["session", "list", "hopper"]).well(), ["No live session matches \"hopper\"."]);
    app.db.execute("DELETE FROM sessions");
    assert_eq!(latchkey.run(&["session", "list"]).well(), ["No live session."]);
    assert!(latchkey.run(&["audit", "at-rest"]).well()[0].starts_with("COLUMN "));
}

#[actix_web::test]
async fn the_operator_can_end_all_sessions_at_once() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut one, mut two) = (app.logged_in(&ada).await, app.logged_in(&grace).await);
    assert!(one.is_in().await && two.is_in().await);
    let latchkey = Latchkey::on(&app.db.url());
    assert_eq!(latchkey.run(&["session", "revoke", "--everybody"]).well(), ["2 sessions ended."]);
    assert!(!one.is_in().await && !two.is_in().await);
    assert_eq!(app.events("sessions-revoked"), 1);
}

#[actix_web::test]
async fn a_session_the_operator_revokes_is_out_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    browser.get("/home").await.is(200);

    let sessions = rows(&latchkey.run(&["session", "list", "--json"]));
    let handle = sessions[0]["handle"].as_str().unwrap();
    let ran = latchkey.run(&["session", "revoke", handle]);
    assert_eq!(ran.well(), [format!("Session {handle} ended.")]);
    browser.get("/home").await.redirects_to("/login");

    assert_eq!(latchkey.run(&["session", "revoke", handle]).refused(), "no live session has this handle");
    assert_eq!(latchkey.run(&["session", "revoke", "x"]).refused(), "\"x\" is not the handle of a session");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM audit_events WHERE session IS NOT NULL"), 2);
}

#[actix_web::test]
async fn disabled_means_out_at_once_and_enabled_means_able_to_log_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");

    latchkey.run(&["user", "disable", ada.email]).well();
    browser.get("/home").await.redirects_to("/login");
    browser.log_in(ada.email, ada.password).await.is(422);
    let ran = latchkey.run(&["user", "reset-link", ada.email]);
    assert_eq!(ran.refused(), "there is no active user ada@example.org");
    assert_eq!(rows(&latchkey.run(&["user", "list", "--json"]))[0]["state"], "disabled");

    latchkey.run(&["user", "enable", ada.email]).well();
    browser.get("/home").await.redirects_to("/login");
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn a_locked_password_is_looked_at_again_when_the_operator_says_so() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.db.execute("INSERT INTO password_lanes SELECT id, 'outside', 100 FROM users");
    app.browser().log_in(ada.email, ada.password).await.is(422);
    let latchkey = Latchkey::on(&app.db.url());
    let said = latchkey.run(&["user", "unlock", ada.email]).well().join("\n");
    assert_eq!(said, "ada@example.org can log in with the password again.");
    app.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
    let ran = latchkey.run(&["user", "unlock", "nobody@example.org"]);
    assert_eq!(ran.refused(), "there is no active user nobody@example.org");
    assert_eq!(app.events("password-unlocked"), 1);
}

#[actix_web::test]
async fn a_change_of_role_shows_on_the_next_request_and_the_last_administrator_stays() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let latchkey = Latchkey::on(&app.db.url());
    let running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    browser.get("/admin").await.is(403);

    for command in ["demote", "disable"] {
        let ran = latchkey.run(&["user", command, grace.email]);
        assert_eq!(ran.refused(), "this is the last administrator: promote another user first");
    }
    let ran = latchkey.run(&["user", "promote", ada.email]);
    assert_eq!(ran.well(), ["ada@example.org is now an administrator."]);
    browser.get("/admin").await.is(200);
    latchkey.run(&["user", "demote", grace.email]).well();
    latchkey.run(&["user", "demote", ada.email]).refused();
    browser.get("/admin").await.is(200);
    assert_eq!(
        latchkey.run(&["user", "promote", "nobody@example.org"]).refused(),
        "there is no active user nobody@example.org"
    );
}

#[test]
fn a_sweep_deletes_what_ended_long_ago_and_nothing_else() {
    let app = TestApp::spawn();
    actix_web::rt::System::new().block_on(async {
        let ada = app.ada().await;
        for _ in 0..3 {
            app.logged_in(&ada).await;
        }
    });
    app.db.execute(
        "UPDATE sessions SET revoked_at = now() - interval '31 days' WHERE handle = (SELECT min(handle::text)::uuid FROM sessions);
         UPDATE sessions SET revoked_at = now() WHERE handle = (SELECT max(handle::text)::uuid FROM sessions)",
    );
    let latchkey = Latchkey::on(&app.db.url());
    assert_eq!(latchkey.run(&["session", "sweep"]).well(), ["1 ended sessions deleted."]);
    assert_eq!(latchkey.run(&["session", "sweep"]).well(), ["0 ended sessions deleted."]);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), 2);
}

#[test]
fn migrate_says_what_it_applied_and_then_that_nothing_is_left_to_do() {
    let db = TestDb::new();
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let latchkey = Latchkey::on(&db.url());
    let ran = latchkey.run(&["migrate"]);
    assert!(ran.well()[0].starts_with("Applied 2026"), "{}", ran.out);
    assert_eq!(latchkey.run(&["migrate"]).well(), ["The schema is up to date."]);
}

#[test]
fn without_a_database_every_command_fails_with_one_line_that_tells_no_password() {
    let latchkey = Latchkey::on("postgresql://someone:hunter2@127.0.0.1:1/latchkey");
    for arguments in
        [&["migrate"][..], &["user", "list"], &["session", "list", "--json"], &["session", "sweep"]]
    {
        let ran = latchkey.run(arguments);
        assert!(ran.refused().starts_with("cannot reach the database: "), "{}", ran.err);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let db = TestDb::new();
    db.execute(
        "INSERT INTO users (email, email_key, name) SELECT n || '@example.org', n || '@example.org', repeat('x', 80) \
         FROM generate_series(1, 2000) n",
    );
    let mut list = Latchkey::on(&db.url()).command(&["user", "list"]);
    let mut child = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[actix_web::test]
async fn in_local_mode_commands_reach_the_server_of_the_running_instance_and_leave_it_running() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    // If no instance runs, commands start their own server.
    let ran = latchkey.run(&["user", "create", "--email", "ada@example.org", "--name", "Ada", "--admin"]);
    assert!(
        ran.well()[0].starts_with(&format!("{}/reset-password?token=", latchkey.origin())),
        "{}",
        ran.out
    );
    assert_eq!(dir.postgres(), None);

    let running = latchkey.serve_ready().await;
    assert_eq!(rows(&latchkey.run(&["user", "list", "--json"]))[0]["email"], "ada@example.org");
    assert!(dir.postgres().is_some());
    running.browser().get("/readyz").await.is(200);
}

#[actix_web::test]
async fn in_local_mode_links_lead_to_the_instance_that_runs() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let other = latchkey.on_another_port();
    let mut running = other.serve_ready().await;
    let ran = latchkey.run(&["user", "create", "--email", "ada@example.org", "--name", "Ada"]);
    let link = path(ran.well()[0], &other);
    running.browser().open(&link).await.is(200).is_page("reset_password");
    // An instance at the address of the settings comes first, even if others run.
    let second = latchkey.serve_ready().await;
    path(latchkey.run(&["user", "reset-link", "ada@example.org"]).well()[0], &latchkey);
    path(other.run(&["user", "reset-link", "ada@example.org"]).well()[0], &other);
    drop(second);
    // The file of a killed instance is ignored.
    running.kill().await;
    let ran = latchkey.run(&["user", "reset-link", "ada@example.org"]);
    path(ran.well()[0], &latchkey);
}

#[actix_web::test]
async fn a_port_that_the_system_chooses_is_the_one_that_links_lead_to() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir).with("PORT", 0).with("LATCHKEY__SERVER__BIND", "127.0.0.1");
    let mut child = latchkey.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let setup = log.lines().map_while(Result::ok).find(|line| line.contains("/setup?token="));
    let line: Value = serde_json::from_str(&setup.expect("a link")).unwrap();
    let link = line["link"].as_str().unwrap();
    let (origin, path) = link.split_at(link.find("/setup").unwrap());
    let answer = Browser::new(origin).open(path).await;
    child.kill().unwrap();
    child.wait().unwrap();
    answer.is(200).is_page("setup");
}

#[actix_web::test]
async fn a_user_without_phone_and_codes_logs_in_after_the_operator_reset_the_factors() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.enrol(&mut app.logged_in(&ada).await).await;
    app.pending(&ada).await;
    let latchkey = Latchkey::on(&app.db.url());
    let ran = latchkey.run(&["user", "reset-factors", "ADA@example.org"]);
    assert!(ran.well()[0].contains("the password alone"));
    for table in ["totp", "recovery_codes", "pending_logins"] {
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    app.logged_in(&ada).await;
    assert_eq!(app.events("factors-reset"), 1);
    let ran = latchkey.run(&["user", "reset-factors", ada.email]);
    assert!(ran.well()[0].contains("Nothing was changed"));
    let ran = latchkey.run(&["user", "reset-factors", "nobody@example.org"]);
    assert_eq!(ran.refused(), "there is no active user nobody@example.org");
}
