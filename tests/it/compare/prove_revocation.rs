//! `latchkey prove revocation`: what it measures is real, and nothing of it is left behind.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, eventually};

/// Of this program alone: what it makes on disk is below this directory.
fn tidy(latchkey: Latchkey, dir: &DataDir) -> Latchkey {
    latchkey.with("TMPDIR", dir.path().display())
}

#[track_caller]
fn is_empty(dir: &DataDir) {
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?} is left over");
}

/// Process and parent of whatever runs with these words in its command line.
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
fn ended_sessions_are_refused_everywhere_and_the_database_of_the_settings_is_not_touched() {
    let (db, dir) = (TestDb::new(), DataDir::new());
    let before: i64 =
        db.scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    let latchkey = tidy(Latchkey::on(&db.url()), &dir);
    let ran = latchkey.run(&["prove", "revocation", "--instances", "2", "--seconds", "2", "--json"]);
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    let said: Value = serde_json::from_str(line).unwrap();
    assert_eq!(said["instances"], 2);
    for none in ["served_after_answer", "refused_while_live", "failed"] {
        assert_eq!(said[none], 0, "{line}");
    }
    let ended = said["revocations"].as_u64().unwrap();
    // Each was asked for at both instances at least twice after the answer, and twice before.
    let asked = said["begun_after_answer"].as_u64().unwrap();
    assert!(
        ended > 0 && asked >= 4 * ended && said["requests"].as_u64().unwrap() >= asked + 4 * ended,
        "{line}"
    );
    for times in ["answered_ms", "refused_here_ms", "refused_elsewhere_ms"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|mark| said[times][mark].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{line}");
    }
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM pg_database WHERE datname LIKE 'latchkey_prove_%'"), 0);
    assert_eq!(
        db.scalar::<i64>("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM audit_events)"),
        0
    );
    // Nobody but for making and dropping the other one was here.
    let after: i64 = db.scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    assert!(after - before < 40, "{} transactions", after - before);
    is_empty(&dir);
}

#[actix_web::test]
async fn whoever_interrupts_it_finds_nothing_left() {
    let (data, dir) = (DataDir::new(), DataDir::new());
    let latchkey = tidy(Latchkey::local(&data), &dir);
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
        (Some(1), "latchkey: stopped before anything was proven")
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
fn who_may_not_make_a_database_is_told_so_and_nothing_is_begun() {
    let (db, dir) = (TestDb::new(), DataDir::new());
    let role = format!("modest_{}", std::process::id());
    db.execute(&format!("CREATE ROLE {role} LOGIN"));
    let latchkey = tidy(Latchkey::on(&db.url().replace("//latchkey@", &format!("//{role}@"))), &dir);
    let ran = latchkey.run(&["prove", "revocation"]);
    db.execute(&format!("DROP ROLE {role}"));
    assert!(ran.refused().contains("the user of the settings may not make one"), "{}", ran.err);
    is_empty(&dir);
    let nowhere = tidy(Latchkey::on("postgresql://nobody@/nothing?host=/nonexistent"), &dir);
    assert!(nowhere.run(&["prove", "revocation"]).refused().contains("cannot reach the database"));
    is_empty(&dir);
}
