//! `latchkey prove revocation`: its measurements are plausible, and it leaves nothing behind.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, eventually};

/// Makes the program create its files below this directory.
fn confined(latchkey: Latchkey, dir: &DataDir) -> Latchkey {
    latchkey.with("TMPDIR", dir.path().display())
}

/// The tests share one server: another proof must not run while the databases of one are counted.
fn alone() -> MutexGuard<'static, ()> {
    static PROOF: Mutex<()> = Mutex::new(());
    PROOF.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn drops_its_database(db: &TestDb) {
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM pg_database WHERE datname LIKE 'latchkey_prove_%'"), 0);
}

#[track_caller]
fn is_empty(dir: &DataDir) {
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?} is left over");
}

/// The JSON line of a proof with two instances.
#[track_caller]
fn is_plausible(line: &str) {
    let said: Value = serde_json::from_str(line).unwrap();
    assert_eq!(said["instances"], 2);
    for none in ["served_after_answer", "refused_while_live", "failed"] {
        assert_eq!(said[none], 0, "{line}");
    }
    let ended = said["revocations"].as_u64().unwrap();
    // Each was requested from both instances at least twice before and twice after the answer.
    let asked = said["begun_after_answer"].as_u64().unwrap();
    assert!(
        ended > 0 && asked >= 4 * ended && said["requests"].as_u64().unwrap() >= asked + 4 * ended,
        "{line}"
    );
    for times in ["answered_ms", "refused_here_ms", "refused_elsewhere_ms"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|mark| said[times][mark].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{line}");
    }
}

/// Process id and parent id of each process with these words in its command line.
fn running(words: &str) -> Vec<(i32, i32)> {
    let output = Command::new("ps").args(["-A", "-ww", "-o", "pid=,ppid=,args="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.contains(words) && !line.contains("<defunct>"));
    let numbers = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    lines.filter_map(numbers).collect()
}

#[test]
fn revoked_sessions_are_refused_everywhere_and_existing_data_is_not_touched() {
    let _alone = alone();
    let (db, dir) = (TestDb::new(), DataDir::new());
    let before: i64 =
        db.scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    let latchkey = confined(Latchkey::on(&db.url()), &dir);
    let ran = latchkey.run(&["prove", "revocation", "--instances", "2", "--seconds", "2", "--json"]);
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    is_plausible(line);
    drops_its_database(&db);
    assert_eq!(
        db.scalar::<i64>("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM audit_events)"),
        0
    );
    // The configured database was used only to create and drop the other one.
    let after: i64 = db.scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    assert!(after - before < 40, "{} transactions", after - before);
    is_empty(&dir);
}

#[test]
fn revoked_access_tokens_are_refused_everywhere() {
    let _alone = alone();
    let (db, dir) = (TestDb::new(), DataDir::new());
    let latchkey = confined(Latchkey::on(&db.url()), &dir);
    let arguments = ["prove", "revocation", "--tokens", "--instances", "2", "--seconds", "2"];
    let ran = latchkey.run(&[&arguments[..], &["--json"]].concat());
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    is_plausible(line);
    let text = latchkey.run(&arguments).well().join("\n");
    assert!(text.contains("Every revoked access token was refused by every instance."), "{text}");
    assert!(!text.contains("session"), "{text}");
    drops_its_database(&db);
    is_empty(&dir);
}

#[test]
fn streams_of_revoked_sessions_end_on_every_instance_and_others_go_on() {
    let _alone = alone();
    let (db, dir) = (TestDb::new(), DataDir::new());
    let latchkey = confined(Latchkey::on(&db.url()), &dir);
    let arguments = ["prove", "revocation", "--apps", "--instances", "2", "--seconds", "2", "--json"];
    let ran = latchkey.run(&arguments);
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    let said: Value = serde_json::from_str(line).unwrap();
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{line}"));
    for none in ["alive_after_answer", "late_events", "looked_complete", "not_opened", "unanswered"] {
        assert_eq!(said[none], 0, "{none}: {line}");
    }
    let revoked = number(&said["revocations"]);
    assert!(revoked > 0, "{line}");
    for kind in ["event_streams", "stalled_downloads", "websockets"] {
        let seen = &said["streams"][kind];
        assert_eq!(number(&seen["ended"]), 2 * revoked, "{kind}: {line}");
        for since in ["since_sent_ms", "since_answer_ms"] {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|mark| seen[since][mark].as_f64().unwrap());
            assert!(0.0 <= p50 && p50 <= p99 && p99 <= max, "{kind}: {line}");
            assert!(max < 10_000.0, "{kind}: {line}");
        }
    }
    assert_eq!(number(&said["closed_by_policy"]), 2 * revoked, "{line}");
    let raced = &said["raced"];
    assert_eq!(number(&raced["openings"]), 12 * revoked, "{line}");
    assert_eq!(raced["alive"], 0, "{line}");
    // Those of two sessions at least: one of the user whose sessions are revoked, and one of another user.
    assert!(number(&said["unaffected"]) >= 12 && said["went_on"] == said["unaffected"], "{line}");
    drops_its_database(&db);
    is_empty(&dir);
}

#[actix_web::test]
async fn an_interrupted_run_leaves_nothing_behind() {
    let (data, dir) = (DataDir::new(), DataDir::new());
    let latchkey = confined(Latchkey::local(&data), &dir);
    let mut command = latchkey.command(&["prove", "revocation", "--instances", "2", "--seconds", "600"]);
    let mut prove = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(prove.id()).unwrap();
    let instances = eventually("instances", async || {
        let mut found = running("latchkey serve");
        found.retain(|(_, parent)| *parent == pid);
        (found.len() == 2).then_some(found)
    })
    .await;
    assert!(!running(&dir.path().display().to_string()).is_empty(), "no server of its own");
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    eventually("its end", async || prove.try_wait().unwrap()).await;
    let output = prove.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.trim()),
        (Some(1), "latchkey: interrupted before anything was proven")
    );
    assert_eq!(output.stdout, b"");
    let left: Vec<_> = running("latchkey serve").into_iter().filter(|one| instances.contains(one)).collect();
    assert!(left.is_empty(), "{left:?}");
    eventually("the end of its server", async || {
        running(&dir.path().display().to_string()).is_empty().then_some(())
    })
    .await;
    is_empty(&dir);
}

#[test]
fn a_role_that_may_not_create_databases_is_named_as_the_reason() {
    let (db, dir) = (TestDb::new(), DataDir::new());
    let role = format!("modest_{}", std::process::id());
    db.execute(&format!("CREATE ROLE {role} LOGIN"));
    let latchkey = confined(Latchkey::on(&db.url().replace("//latchkey@", &format!("//{role}@"))), &dir);
    let ran = latchkey.run(&["prove", "revocation"]);
    db.execute(&format!("DROP ROLE {role}"));
    assert!(ran.refused().contains("the role in the settings may not create one"), "{}", ran.err);
    is_empty(&dir);
    let nowhere = confined(Latchkey::on("postgresql://nobody@/nothing?host=/nonexistent"), &dir);
    assert!(nowhere.run(&["prove", "revocation"]).refused().contains("cannot reach the database"));
    is_empty(&dir);
}
