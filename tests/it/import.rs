//! Importing users: which password hashes work, which rows are skipped and why, and the effect of a crash.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Ran, eventually};
use crate::support::subjects;

/// A cheap hash of `tr0ub4dor&3`.
const BCRYPT: &str = "$2b$04$eHOsBNH0xRmWfH0YmxS8MeA/HmBP9cHbo8qvGRqTZQH/7e8RJPYiO";

/// A file to import, deleted with this value.
struct Export {
    path: PathBuf,
    _dir: DataDir,
}

impl Export {
    fn new(name: &str, text: &str) -> Self {
        let dir = DataDir::new();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        Self { path, _dir: dir }
    }

    /// This many ordinary users.
    fn of(people: usize) -> Self {
        let mut text = "email,name,password_hash\n".to_owned();
        for number in 0..people {
            writeln!(text, "user{number}@example.org,User {number},{BCRYPT}").unwrap();
        }
        Self::new("people.csv", &text)
    }

    fn import(&self, latchkey: &Latchkey, more: &[&str]) -> Ran {
        latchkey.run(&[&["user", "import", self.path.to_str().unwrap()], more].concat())
    }
}

fn objects(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines below the totals if some rows were imported and others refused.
const ADVICE: &str =
    "The other rows are not affected. Correct the refused rows in the file, then import it again.";

/// The last line of a strict run with refusals, which then exits with 1.
#[track_caller]
fn refusals(ran: &Ran, count: usize) {
    let rows = if count == 1 { "1 row was".to_owned() } else { format!("{count} rows were") };
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(ran.err, format!("latchkey: {rows} refused: the report says why\n"));
}

#[track_caller]
fn hash_of(db: &TestDb, email: &str) -> String {
    db.scalar(&format!("SELECT coalesce(password_hash, '') FROM users WHERE email_key = '{email}'"))
}

/// One hash of each format, and for two formats also one of a password that is not in NFC.
fn fixtures() -> Vec<(String, String, String)> {
    let mut makers = HashSet::new();
    include_str!("fixtures/hashes.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| ["made_by", "password", "hash"].map(|name| row[name].as_str().unwrap().to_owned()))
        .filter(|[maker, password, _]| {
            let decomposed = password.contains('\u{301}');
            makers.insert(maker.clone())
                || (decomposed && ["argon2-cffi ID", "passlib scrypt"].contains(&&**maker))
        })
        .map(|[maker, password, hash]| (maker, password, hash))
        .collect()
}

#[actix_web::test]
async fn every_format_opens_the_door_to_its_password_only_and_is_argon2id_afterwards() {
    let app = TestApp::spawn();
    let people = fixtures();
    assert!(people.len() >= 18, "{}", people.len());
    let mut text = String::new();
    for (number, (_, _, hash)) in people.iter().enumerate() {
        writeln!(text, "{}", json!({ "email": format!("u{number}@example.org"), "password_hash": hash }))
            .unwrap();
    }
    let ran = Export::new("all.jsonl", &text).import(&Latchkey::on(&app.db.url()), &[]);
    let sums = format!("{} imported (0 without a password), 0 already exist, 0 refused.", people.len());
    assert_eq!(ran.well(), [sums]);

    for (number, (maker, password, _)) in people.iter().enumerate() {
        let email = format!("u{number}@example.org");
        let before = hash_of(&app.db, &email);
        app.browser().log_in(&email, &format!("{password}x")[1..]).await.is(422);
        assert!(before == hash_of(&app.db, &email) && !before.starts_with("$argon2id"), "{maker}");
        app.browser().log_in(&email, password).await.redirects_to("/home");
        let after = hash_of(&app.db, &email);
        assert!(after.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{maker}");
        app.browser().log_in(&email, password).await.redirects_to("/home");
        assert!(after == hash_of(&app.db, &email), "{maker}");
        app.wait_out_throttles();
    }
}

#[actix_web::test]
async fn people_bring_their_name_role_and_past_and_no_letter_is_written() {
    let app = TestApp::spawn();
    app.db.execute(
        "INSERT INTO registrations (token_hash, email, email_key, name, password_hash, expires_at) \
         VALUES (sha256('x'), 'ada@example.org', 'ada@example.org', 'Ada', 'x', now() + interval '1 day')",
    );
    let latchkey = Latchkey::on(&app.db.url());
    let text = format!(
        "\u{feff}created_at,role,email,name,password_hash\r\n\
         2019-03-01 10:00:00+00,admin,Ada@Example.org,\"Lovelace, Ada\",{BCRYPT}\r\n\
         ,,bob@example.org,,!unusable\r\n"
    );
    let export = Export::new("people.csv", &text);
    let partial = export.import(&latchkey, &[]);
    assert_eq!(
        partial.well(),
        [
            "line 2: role is admin, which needs --allow-admins",
            "1 imported (1 without a password), 0 already exist, 1 refused.",
            ADVICE
        ]
    );
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM users WHERE email = 'bob@example.org' AND name = 'bob'"),
        1
    );
    let ran = export.import(&latchkey, &["--allow-admins"]);
    assert_eq!(ran.well(), ["1 imported (0 without a password), 1 already exist, 0 refused."]);
    assert!(app.db.scalar::<bool>(
        "SELECT email = 'Ada@Example.org' AND name = 'Lovelace, Ada' AND role = 'admin' \
         AND created_at = '2019-03-01T10:00:00Z' FROM users WHERE email_key = 'ada@example.org'"
    ));
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox"), 0);
    assert_eq!(app.events("imported"), 2);
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM audit_events WHERE actor IS NULL AND user_agent = 'latchkey command line' AND detail = ''"),
        2
    );
    let mut ada = app.browser();
    ada.log_in("ada@example.org", "tr0ub4dor&3").await.redirects_to("/home");
    ada.get("/admin").await.is(200);
    let activity = ada.get("/account/activity").await;
    activity.is(200).has_event("imported");
    activity.has_event("password-moved-in");
    assert_eq!(app.events("password-moved-in"), 1);
    app.browser().log_in("ada@example.org", "tr0ub4dor&3").await.redirects_to("/home");
    assert_eq!(app.events("password-moved-in"), 1);

    // A user without a password sets one with the forgotten-password form.
    app.browser().log_in("bob@example.org", "").await.is(422);
    app.browser().log_in("bob@example.org", "!unusable").await.is(422);
    let ran = latchkey.run(&["user", "reset-link", "bob@example.org"]);
    assert_eq!(ran.well().len(), 1);
}

#[actix_web::test]
async fn an_unknown_address_takes_as_long_as_an_imported_one() {
    let app = TestApp::spawn();
    // This takes more than a tenth of a second; one of Latchkey's hashes takes a hundredth of that here.
    let slow = "$2b$11$k5ex8oi2O9Z7xobZXn0ifO6O23JP/gStBfPh6Dwc4G0yJzGgLVGcm";
    let text = json!({ "email": "ada@example.org", "password_hash": slow }).to_string();
    Export::new("people.jsonl", &text).import(&Latchkey::on(&app.db.url()), &[]).well();
    let took = async |email: &str| {
        let mut browser = app.browser();
        browser.get("/login").await;
        let begun = Instant::now();
        browser.post("/login", &[("email", email), ("password", "tr0ub4dor&4")]).await.is(422);
        begun.elapsed()
    };
    // The quickest of several interleaved attempts, with a generous limit, because the machine has other work.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for number in 0..6 {
        known = known.min(took("ada@example.org").await);
        unknown = unknown.min(took(&format!("nobody{number}@example.org")).await);
        app.wait_out_throttles();
    }
    assert!(known < unknown * 4 && unknown < known * 4, "{known:?} {unknown:?}");
    // The decoy hash admits no one, even with the password that matches it.
    app.browser().log_in("nobody@example.org", "tr0ub4dor&3").await.is(422);
    assert_eq!(app.events("logged-in"), 0);
    app.browser().log_in("ada@example.org", "tr0ub4dor&3").await.redirects_to("/home");
}

/// As a version imported it that accepted costlier hashes.
#[actix_web::test]
async fn a_stored_hash_above_the_bound_opens_nothing_until_its_owner_resets_the_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut inside = app.logged_in(&ada).await;
    // A hash of Ada's password, which would take some 20 seconds to compute.
    app.db.execute(&format!(
        "UPDATE users SET password_hash = 'pbkdf2_sha256$90000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' WHERE id = '{}'",
        ada.id
    ));
    let begun = Instant::now();
    app.browser().log_in(ada.email, ada.password).await.is(422);
    app.browser().log_in("nobody@example.org", ada.password).await.is(422);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(inside.is_in().await);
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let (token, new) = (letter.token(), "gravel tuba otter lemon");
    app.browser()
        .fill_in(&letter.link(), &[("token", &token), ("password", new)])
        .await
        .redirects_to("/login");
    app.browser().log_in(ada.email, new).await.redirects_to("/home");
}

#[actix_web::test]
async fn an_import_leaves_existing_users_unchanged() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute("UPDATE users SET disabled_at = now() WHERE email = 'ada@example.org'");
    let before = app.dump();
    let text = format!(
        "email,name,password_hash,role\nADA@example.org,Eve,{BCRYPT},\ngrace@example.org,Eve,{BCRYPT},admin\n"
    );
    let export = Export::new("people.csv", &text);
    let ran = export.import(&Latchkey::on(&app.db.url()), &["--allow-admins", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let exists = "a user with this address already exists";
    assert_eq!(
        objects(&ran),
        [
            json!({ "line": 2, "status": "exists", "reason": exists }),
            json!({ "line": 3, "status": "exists", "reason": exists }),
            json!({ "imported": 0, "without_password": 0, "existing": 2, "refused": 0, "dry_run": false }),
        ]
    );
    assert_eq!(app.dump(), before);
    app.browser().log_in(ada.email, "tr0ub4dor&3").await.is(422);
    app.browser().log_in(ada.email, ada.password).await.is(422);
    app.browser().log_in(grace.email, "tr0ub4dor&3").await.is(422);
    app.logged_in(&grace).await;
}

#[test]
fn every_refusal_names_its_line_and_reason_and_the_other_users_are_imported() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let text = format!(
        "email,name,password_hash,role,created_at\n\
         ada@example.org,Ada,{BCRYPT},,\n\
         nobody,Eve,{BCRYPT},,\n\
         Ada@example.org,Ada,{BCRYPT},,\n\
         b@example.org,B,5f4dcc3b5aa765d61d8327deb882cf99,,\n\
         c@example.org,C,$2b$31$eHOsBNH0xRmWfH0YmxS8MeA/HmBP9cHbo8qvGRqTZQH/7e8RJPYiO,,\n\
         d@example.org,D,\"$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\",,\n\
         e@example.org,E,$2b$04$short,,\n\
         \n\
         f@example.org,F,{BCRYPT},root,\n\
         g@example.org,G,{BCRYPT},admin,\n\
         h@example.org,H,{BCRYPT},,2999-01-01T00:00:00Z\n\
         i@example.org,I\0,{BCRYPT},,\n\
         j@example.org,{},{BCRYPT},,\n\
         k@example.org,K,{BCRYPT}\n\
         l@example.org,\"L,{BCRYPT},,\n\
         m@example.org,{},{BCRYPT},,\n\
         zoe@example.org,Zo\u{eb},{BCRYPT},,",
        "x".repeat(81),
        "x".repeat(20_000),
    );
    let export = Export::new("people.csv", &text);
    let expected = [
        "line 3: email is not an address that mail can be sent to",
        "line 5: the format of the password hash is not supported",
        "line 6: the password hash takes longer than a log-in may: bcrypt is accepted up to cost 12; import this user \
         without the hash, and they can set a password with a reset link",
        "line 7: the password hash takes longer than a log-in may: Argon2 is accepted up to 256 MiB of memory times passes, \
         in at most 64 lanes; import this user without the hash, and they can set a password with a reset link",
        "line 8: the password hash is malformed",
        "line 10: role is neither member nor admin",
        "line 11: role is admin, which needs --allow-admins",
        "line 12: created_at is not a past time with an offset, such as 2024-05-17T09:30:00Z",
        "line 13: the row contains a NUL character",
        "line 14: name is too long: it may have 80 characters",
        "line 15: the line has 3 columns, the header 5",
        "line 16: a quotation mark is not closed on its line",
        "line 17: the line is longer than 16384 bytes",
        "line 4: the address occurs twice in the file",
    ];
    let dry = export.import(&latchkey, &["--dry-run"]);
    let sums = "2 would be imported (0 without a password), 0 already exist, 14 refused.";
    assert_eq!(dry.well(), [&expected[..], &[sums, ADVICE]].concat());
    refusals(&export.import(&latchkey, &["--dry-run", "--strict"]), expected.len());
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM users"), 0);

    let ran = export.import(&latchkey, &["--json", "--strict"]);
    refusals(&ran, expected.len());
    let objects = objects(&ran);
    let (sums, refused) = objects.split_last().unwrap();
    let said: Vec<String> = refused
        .iter()
        .map(|row| format!("line {}: {}", row["line"], row["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(said, expected);
    assert!(refused.iter().all(|row| row["status"] == "refused"));
    assert_eq!((&sums["imported"], &sums["refused"]), (&2.into(), &14.into()));
    assert_eq!(
        db.scalar::<String>("SELECT string_agg(email || ' ' || name, ', ' ORDER BY email) FROM users"),
        "ada@example.org Ada, zoe@example.org Zo\u{eb}"
    );
}

#[test]
fn an_import_of_which_no_row_is_taken_fails() {
    let db = TestDb::new();
    let export = Export::new("people.csv", "email,name,password_hash\nnobody,Eve,\nnobody either,Eve,\n");
    let ran = export.import(&Latchkey::on(&db.url()), &[]);
    refusals(&ran, 2);
    assert!(!ran.out.contains(ADVICE), "{}", ran.out);
}

#[test]
fn an_unreadable_file_fails_with_one_line() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    for (name, text, why) in [
        ("people.csv", "", "there is no header"),
        ("people.csv", "email,name,password_hash,phone\n", "the header has the unknown column \"phone\""),
        ("people.csv", "email,name\n", "the header has no column \"password_hash\""),
        ("people.txt", "", "the file name ends neither in .csv nor in .jsonl"),
    ] {
        let ran = Export::new(name, text).import(&latchkey, &[]);
        assert!(ran.refused().contains(why), "{}", ran.err);
    }
    assert!(latchkey.run(&["user", "import", "/nonexistent.csv"]).refused().contains("No such file"));
    assert!(latchkey.run(&["user", "import", "/tmp/."]).refused().contains("ends neither"));
}

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let app = TestApp::spawn();
    actix_web::rt::System::new().block_on(app.ada());
    let before = app.dump();
    let text = format!(
        "{}\n{}\n{}\n",
        json!({ "email": "ada@example.org", "password_hash": BCRYPT }),
        json!({ "email": "bob@example.org", "password_hash": BCRYPT }),
        json!({ "email": "carl@example.org" }),
    );
    let export = Export::new("people.jsonl", &text);
    let latchkey = Latchkey::on(&app.db.url());
    let ran = export.import(&latchkey, &["--dry-run"]);
    assert_eq!(ran.well(), ["2 would be imported (1 without a password), 1 already exist, 0 refused."]);
    assert_eq!(app.dump(), before);
    let ran = export.import(&latchkey, &[]);
    assert_eq!(ran.well(), ["2 imported (1 without a password), 1 already exist, 0 refused."]);
}

#[actix_web::test]
async fn killed_midway_it_leaves_whole_people_and_run_again_brings_the_others() {
    const PEOPLE: usize = 20_000;
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let export = Export::of(PEOPLE);
    let count = || db.scalar::<i64>("SELECT count(*) FROM users");
    let mut command = latchkey.command(&["user", "import", export.path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the first batches", async || (count() >= 1000).then_some(())).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    eventually("its connections to end", async || (db.scalar::<i64>(others) == 0).then_some(())).await;

    let left = count();
    assert!((1000..20_000).contains(&left) && left % 500 == 0, "{left}");
    let whole = "SELECT count(*) FROM users JOIN audit_events ON subject = users.id AND act = 'imported' WHERE password_hash IS NOT NULL";
    assert_eq!(db.scalar::<i64>(whole), left);

    let ran = export.import(&latchkey, &[]);
    let sums = format!("{} imported (0 without a password), {left} already exist, 0 refused.", 20_000 - left);
    assert_eq!(ran.well(), [sums]);
    assert_eq!((count(), db.scalar::<i64>(whole)), (20_000, 20_000));
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM audit_events"), 20_000);
    let ran = export.import(&latchkey, &[]);
    assert_eq!(ran.well(), ["0 imported (0 without a password), 20000 already exist, 0 refused."]);
}

#[test]
fn memory_does_not_grow_with_the_file_nor_with_its_lines() {
    let db = TestDb::new();
    let mut text = String::new();
    // One line that is a third of the file, and users with lines of 10 KB each.
    text.push_str(&"x".repeat(50_000_000));
    let room = " ".repeat(10_000);
    for number in 0..10_000 {
        writeln!(text, "\n{{{room}\"email\":\"user{number}@example.org\",\"password_hash\":\"{BCRYPT}\"}}")
            .unwrap();
    }
    let export = Export::new("people.jsonl", &text);
    assert!(text.len() > 150_000_000);
    drop(text);
    let mut command = Latchkey::on(&db.url()).command(&["user", "import", export.path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = peak.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(most);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0));
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM users"), 10_000);
    assert!((1..60_000).contains(&most), "{most} KiB");
}
