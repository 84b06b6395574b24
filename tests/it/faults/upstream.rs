//! An app dies, hangs, lies, or uses up the file descriptors that it may have. The portal and another app notice
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_web::rt::time;
use nix::sys::signal::Signal;

use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::shop::{Crowd, Demo, HEAD, register};
use super::slow::open_files;
use crate::support::process::{DataDir, Latchkey};
use crate::support::upstream::{After, OK, Upstream};

/// How long other users may wait for a page, on a machine that also runs the load.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// Idle connections to an app are closed after 4 s, and looked for every second.
const CONNECTIONS_ARE_CLOSED: Duration = Duration::from_secs(6);

/// Descriptors that differ from moment to moment under load.
const FLUCTUATION: usize = 8;

/// Requests that the app of the crowd may have at once, and the size of the crowd.
const IN_FLIGHT: usize = 12;
const CROWD: usize = 24;

pub async fn fails() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    let mut demo = Demo::start().await;
    register(&harness, "shop", &demo.url(), IN_FLIGHT);
    let crowd = Crowd::of(&harness, "shop");
    harness.live().await;
    let before = most_files(&harness).await;
    let people = crowd.gather(CROWD);
    time::sleep(CALM).await;
    got(&mut harness, "well", &crowd.told(), &["200"], &["503"]);

    demo.kill();
    time::sleep(CALM).await;
    // Requests on the way fail as well, and the last answers from before may arrive.
    got(&mut harness, "dead", &crowd.told(), &["502"], &["200", "503", "no answer"]);
    demo.start_again().await;
    crowd.is_served().await;
    crowd.told();

    demo.signal(Signal::SIGSTOP);
    time::sleep(4 * HEAD).await;
    got(&mut harness, "hanging", &crowd.told(), &["503", "504"], &["200"]);
    demo.signal(Signal::SIGCONT);
    crowd.is_served().await;
    // Those that waited for the head until now.
    time::sleep(HEAD).await;
    crowd.told();
    time::sleep(CALM).await;
    got(&mut harness, "well again", &crowd.told(), &["200"], &["503"]);
    crowd.leaves(people).await;
    others_noticed_nothing(&mut harness);
    files_are_back(&mut harness, before).await;
    let back = harness.recovers(Instant::now()).await;
    let failed = harness.judged("An app dies, then hangs", Some(back)).await;
    vec![failed, lies().await]
}

/// How the client gets a malformed response of the app.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// As a 502 in its place.
    Refused,
    /// As a response that does not end cleanly.
    Cut,
    /// As the well-formed part of it.
    Ok,
}

const LIES: [(&str, Seen, &str); 11] = [
    (
        "two-framings",
        Seen::Refused,
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    ("two-lengths", Seen::Refused, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!"),
    ("another-protocol", Seen::Refused, "SSH-2.0-OpenSSH_9.2\r\n"),
    (
        "unasked-upgrade",
        Seen::Refused,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ),
    ("nothing", Seen::Refused, ""),
    ("half-a-head", Seen::Refused, "HTTP/1.1 200 OK\r\ncontent-le"),
    ("too-short", Seen::Cut, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok"),
    ("no-last-chunk", Seen::Cut, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"),
    ("not-a-size", Seen::Cut, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"),
    (
        "hints-first",
        Seen::Ok,
        "HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ),
    // What follows is the answer to no request.
    (
        "two-at-once",
        Seen::Ok,
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: latchkey-app=x\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen",
    ),
];

/// How many forms are sent for each kind of malformed response.
const FORMS: usize = 8;

async fn lies() -> Outcome {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    let liar = Upstream::scripted(|request, stream| {
        let lie = request.target().trim_start_matches('/');
        let (seen, response) = LIES
            .iter()
            .find(|(name, ..)| *name == lie)
            .map_or((Seen::Ok, OK), |(_, seen, response)| (*seen, response.as_bytes()));
        let _ = stream.write_all(response);
        if seen == Seen::Ok { After::KeepOpen } else { After::Close }
    });
    register(&harness, "liar", &liar.url(), IN_FLIGHT);
    let visitors = Crowd::of(&harness, "liar");
    harness.live().await;
    let before = most_files(&harness).await;
    let people = visitors.gather(2);
    let mut number = 0;
    for (lie, seen, _) in LIES {
        for _ in 0..FORMS {
            let (path, text) = (format!("/{lie}"), number.to_string());
            let fields = [("number", text.as_str())];
            for reply in [visitors.get(&path).await, visitors.post(&path, &fields).await] {
                let fits = match seen {
                    Seen::Refused => reply.status == Some(502),
                    Seen::Cut => reply.status.is_none(),
                    Seen::Ok => {
                        reply.status == Some(200)
                            && reply.body == "ok"
                            && reply.cookie("latchkey-app").is_none()
                    }
                };
                harness.expect(fits, format!("{lie}: {:?} {:?}", reply.status, reply.body));
            }
            number += 1;
        }
    }
    got(&mut harness, "true answers between", &visitors.told(), &["200"], &[]);
    visitors.leaves(people).await;
    let mut arrived: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for request in liar.received().into_iter().filter(|request| request.method() == "POST") {
        *arrived.entry(request.body).or_default() += 1;
    }
    harness.expect(arrived.len() == number, format!("{} of {number} forms arrived", arrived.len()));
    let twice = arrived.values().filter(|times| **times > 1).count();
    harness.expect(twice == 0, format!("{twice} forms arrived twice"));
    harness.notes.push(format!("{} kinds of lies, {number} forms, none delivered twice", LIES.len()));
    others_noticed_nothing(&mut harness);
    files_are_back(&mut harness, before).await;
    let back = harness.recovers(Instant::now()).await;
    harness.judged("An app lies", Some(back)).await
}

/// The number of files that the program may open, and of visitors of an app who would need more.
const FILES: usize = 256;
const MANY: usize = 150;

/// The minimum that this many hanging requests take.
const TAKEN: usize = 50;

pub async fn uses_up_the_files() -> Vec<Outcome> {
    let dir = DataDir::new();
    let program = with_few_files(&dir);
    let mut harness = Harness::new(&[], |first, _| vec![first.of_version(&program)]).await;
    harness.open_app().await;
    let demo = Demo::start().await;
    register(&harness, "shop", &demo.url(), 10 * MANY);
    let crowd = Crowd::of(&harness, "shop");
    harness.live().await;
    let before = most_files(&harness).await;
    demo.signal(Signal::SIGSTOP);
    let people = crowd.gather(MANY);
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < 6 * HEAD {
        time::sleep(Duration::from_millis(20)).await;
        most = most.max(open_files(&harness));
    }
    // 502: the queue of the app, which accepts no connection, is full.
    got(&mut harness, "hanging", &crowd.told(), &["503", "504"], &["502"]);
    harness.expect(most >= before + TAKEN, format!("only {most} files were open, {before} before"));
    harness.notes.push(format!("{before} files of {FILES} open before, {most} at most"));
    demo.signal(Signal::SIGCONT);
    crowd.is_served().await;
    crowd.leaves(people).await;
    others_noticed_nothing(&mut harness);
    files_are_back(&mut harness, before).await;
    let back = harness.recovers(Instant::now()).await;
    let outcome = harness.judged("An app uses up the files it may have", Some(back)).await;
    drop(dir);
    vec![outcome]
}

/// A script that starts the program with a lower limit.
fn with_few_files(dir: &DataDir) -> PathBuf {
    let command = Latchkey::bare().command(&[]);
    let script = dir.path().join("latchkey");
    let program = command.get_program().display();
    fs::write(&script, format!("#!/bin/sh\nulimit -n {FILES} && exec '{program}' \"$@\"\n"))
        .expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script to run");
    script
}

/// Expects each of `wanted` among the answers, and besides only those `possible`.
fn got(
    harness: &mut Harness,
    what: &str,
    told: &BTreeMap<String, usize>,
    wanted: &[&str],
    possible: &[&str],
) {
    for status in wanted {
        harness.expect(told.contains_key(*status), format!("{what}: no visitor got {status}: {told:?}"));
    }
    let fits = |status: &String| wanted.contains(&status.as_str()) || possible.contains(&status.as_str());
    harness.expect(told.keys().all(fits), format!("{what}: {told:?}"));
    let told: Vec<String> = told.iter().map(|(status, many)| format!("{many} × {status}")).collect();
    harness.notes.push(format!("{what}: {}", told.join(", ")));
}

/// No request to the portal or to the other app has failed or waited.
fn others_noticed_nothing(harness: &mut Harness) {
    let tally = harness.world.wire.tally();
    harness.expect(tally.failed.is_empty(), format!("requests to the portal failed: {:?}", tally.failed));
    harness.app_is_undisturbed = true;
    let slowest = harness.slowest();
    harness.expect(slowest <= PAGE_WITHIN, format!("another user waited {slowest:?}"));
    harness.notes.push(format!("slowest page of others {:.2} s", slowest.as_secs_f64()));
}

/// The most files that are open within a second.
async fn most_files(harness: &Harness) -> usize {
    let mut most = 0;
    for _ in 0..50 {
        most = most.max(open_files(harness));
        time::sleep(Duration::from_millis(20)).await;
    }
    most
}

async fn files_are_back(harness: &mut Harness, before: usize) {
    time::sleep(CONNECTIONS_ARE_CLOSED).await;
    let after = most_files(harness).await;
    harness.expect(after <= before + FLUCTUATION, format!("{after} files stay open, {before} before"));
    harness.notes.push(format!("{before} open files before, {after} after"));
}
