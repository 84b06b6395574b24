//! Streams through Latchkey: how long the connections of a revoked session last, on one instance under full load and on
//! three; and what idle streams cost, in memory and in the time of other requests.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use latchkey::config::{Settings, raise_file_limit};
use latchkey::lab::prove::{Extent, ProbeUsers, StreamKind, StreamReport, revoke_with_streams};
use secrecy::SecretString;

use super::enter::{self, EnteredApp};
use super::{CONNECTIONS, PAGE, SLICE, WARM_UP, headers, proxies};
use crate::environment::{Environment, Program, RunningServer, SECRET, client, on_core, pin_self, resident};
use crate::pages::wrk_with;
use crate::report::Report;

/// In three rounds, 150 revocations with 12 raced openings each.
const REVOCATIONS_PER_ROUND: usize = 50;

/// All instances have this public URL, whatever their ports, so that one client can use each of them.
const SETTINGS: [(&str, &str); 2] = [
    ("LATCHKEY__SERVER__PUBLIC_URL", "http://localhost"),
    // A session is revoked some minutes after it was opened.
    ("LATCHKEY__SESSIONS__CONFIRM_WINDOW", "10m"),
];

/// Streams that are opened first, so that one-time allocations are not counted, and those that are counted.
const OPENED_BEFORE: usize = 200;
const COUNTED: usize = 800;

/// Until the memory of the program has settled.
const SETTLE: Duration = Duration::from_secs(1);

pub fn measure(report: &mut Report) {
    // Both ends of each stream are in this process.
    raise_file_limit();
    let under_load = ends_under_load(report);
    let on_three = ends_on_three(report);
    let alive = [&under_load, &on_three].iter().map(|ends| ends.alive + ends.raced.alive).sum::<u64>();
    report.value("streams_alive_after_revocation", alive as f64);
    let ended = [&under_load, &on_three].iter().map(|ends| ends.unaffected - ends.went_on).sum::<u64>();
    report.value("other_streams_ended", ended as f64);
    idle_streams(report);
}

/// One instance on a core of its own, which wrk keeps busy.
fn ends_under_load(report: &mut Report) -> StreamReport {
    pin_self("1");
    let environment = Environment::new();
    environment.pin_database("1");
    let upstream = proxies::upstream(environment.dir());
    let served = environment.serve_with(Some("0"), &SETTINGS);
    let [app] = enter::enter_as_ada(&environment, &served, [("bench", upstream.port)]);
    let load = endless_load(&app, served.port());
    let (before, started) = (served.cpu(), Instant::now());
    let ends = ends(report, &environment, &[&served], "one instance under full load");
    let busy = (served.cpu() - before) / started.elapsed().as_secs_f64();
    drop(load);
    report.note("one instance under full load", "cores busy", busy);
    report.value("stream_end_loaded_p99_ms", p99(&ends));
    ends
}

fn ends_on_three(report: &mut Report) -> StreamReport {
    // Programs that are started from here on inherit it.
    pin_self("0-1");
    let environment = Environment::new();
    let instances = [(); 3].map(|()| environment.serve_with(None, &SETTINGS));
    let ends = ends(report, &environment, &instances.each_ref(), "three instances");
    report.value("stream_end_three_p99_ms", p99(&ends));
    ends
}

/// Revokes sessions with streams of each kind.
fn ends(
    report: &mut Report,
    environment: &Environment,
    instances: &[&RunningServer],
    name: &str,
) -> StreamReport {
    let own = [("DATABASE_URL", environment.url.as_str()), ("LATCHKEY__SECRET", SECRET)];
    let variables = own.into_iter().chain(SETTINGS);
    let variables: HashMap<String, String> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let settings = Settings::from_environment(variables).unwrap_or_else(|error| panic!("{error}"));
    let ports = instances.iter().map(|instance| instance.port()).collect();
    let extent = Extent::Revocations(REVOCATIONS_PER_ROUND * report.rounds());
    let ends = System::new().block_on(async {
        for instance in instances {
            instance.wait_until_ready(&client()).await;
        }
        let (url, secret) = (SecretString::from(environment.url.clone()), SecretString::from(SECRET));
        let users = ProbeUsers::new(&settings, &url, &secret).unwrap_or_else(|error| panic!("{error}"));
        revoke_with_streams(ports, &users, extent).await.unwrap_or_else(|error| panic!("{error}"))
    });
    for kind in StreamKind::ALL {
        let times = ends.since_answer(kind).expect("streams of each kind");
        let row = format!("revocation answered → end of {kind:?}, {name}");
        report.note(&row, "ms p50", times.p50);
        report.note(&row, "ms p99", times.p99);
        report.note(&row, "ms max", times.max);
    }
    report.note(&format!("raced openings let in, {name}"), "openings", ends.raced.ended as f64);
    ends
}

/// Of the kind that took longest.
fn p99(ends: &StreamReport) -> f64 {
    StreamKind::ALL
        .into_iter()
        .filter_map(|kind| ends.since_answer(kind))
        .map(|times| times.p99)
        .fold(0.0, f64::max)
}

/// Requests the page without pause until this is dropped. With a lower priority than the clients of the streams, which
/// share its core.
fn endless_load(app: &EnteredApp, port: u16) -> Program {
    let mut command = on_core(Some("1"), "nice");
    command.args(["-n", "10", "wrk", "--threads", "1", "--connections", CONNECTIONS, "--duration", "1h"]);
    for header in headers(&app.host, &app.key) {
        command.args(["--header", &header]);
    }
    command.arg(format!("http://127.0.0.1:{port}{PAGE}")).stdout(Stdio::null());
    Program::start(command)
}

/// Memory of each idle stream, and the requests of others with and without them.
fn idle_streams(report: &mut Report) {
    pin_self("1");
    let environment = Environment::new();
    environment.pin_database("1");
    let upstream = proxies::upstream(environment.dir());
    let [alone, beside, tunnels] = [(); 3].map(|()| environment.serve(Some("0")));
    System::new().block_on(async {
        for served in [&alone, &beside, &tunnels] {
            served.wait_until_ready(&client()).await;
        }
    });
    let [page, idle] =
        enter::enter_as_ada(&environment, &alone, [("bench", upstream.port), ("idle", idle_upstream())]);
    let (streams, bytes) = open_counted(&beside, &idle, "/events", "");
    report.value("bytes_per_idle_event_stream", bytes);
    let (tunnels_open, bytes) = open_counted(&tunnels, &idle, "/socket", HANDSHAKE);
    report.value("bytes_per_idle_tunnel", bytes);
    drop((tunnels_open, tunnels));
    let load = |served: &RunningServer, duration| {
        let url = format!("http://127.0.0.1:{}{PAGE}", served.port());
        wrk_with(&url, &headers(&page.host, &page.key), CONNECTIONS, duration)
    };
    let cases = [
        (&alone, "a page through the proxy, by itself"),
        (&beside, "a page through the proxy, beside 1,000 idle event streams"),
    ];
    for (served, _) in cases {
        load(served, WARM_UP);
    }
    for _ in 0..report.rounds() {
        for (served, name) in cases {
            load(served, SLICE).note(report, name);
        }
    }
    drop(streams);
    let [alone, beside] = cases.map(|(_, name)| report.median(name, "ms p99"));
    report.value("p99_beside_idle_streams", beside / alone);
}

/// Opens idle streams at one instance. Returns them, and the memory of the program for each in bytes.
fn open_counted(served: &RunningServer, app: &EnteredApp, path: &str, more: &str) -> (Vec<TcpStream>, f64) {
    let open =
        |count: usize| -> Vec<TcpStream> { (0..count).map(|_| open_idle(served, app, path, more)).collect() };
    let mut streams = open(OPENED_BEFORE);
    thread::sleep(SETTLE);
    let before = resident(served.pid());
    streams.extend(open(COUNTED));
    thread::sleep(SETTLE);
    let bytes = (resident(served.pid()) - before) / COUNTED as f64;
    (streams, bytes)
}

fn open_idle(served: &RunningServer, app: &EnteredApp, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", served.port())).expect("the program");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let EnteredApp { host, key } = app;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {key}\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let (mut received, mut part) = (Vec::new(), [0; 1024]);
    while !received.windows(IDLE.len()).any(|bytes| bytes == IDLE) {
        let count = stream.read(&mut part).expect("a response");
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&part[..count]);
        assert!(received.starts_with(b"HTTP/1.1 101") || received.starts_with(b"HTTP/1.1 200"));
    }
    stream
}

/// The only event or message on an idle stream.
const IDLE: &[u8] = b"idle\n\n";

const HANDSHAKE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Answers each request with an event stream or websocket that stays silent after its first event.
fn idle_upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            open.extend(stream.and_then(answer_idle));
        }
    });
    port
}

fn answer_idle(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    let (mut head, mut part) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&part[..count]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let response: &[u8] = if head.contains("sec-websocket-key") {
        // A text frame of six bytes.
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x06idle\n\n"
    } else {
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: idle\n\n"
    };
    stream.write_all(response)?;
    Ok(stream)
}
