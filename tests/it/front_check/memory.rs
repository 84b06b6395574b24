//! Large bodies pass through without being stored: 1 GiB down to slow clients, and up to a slow app.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use super::front_door::FrontDoor;
use super::load::{EVERYONE, MemoryWatch, Ticket};
use super::program::{Program, node};
use super::report::Row;
use super::static_site::serve_directory;

const GIBIBYTE: u64 = 1 << 30;

/// The process may grow by this much (MiB).
const MOST_GROWTH: f64 = 10.0;

const CLIENTS: usize = 20;

/// How long the clients read slowly.
const SLOW: Duration = Duration::from_secs(10);

pub async fn bodies_are_not_stored() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let files = Program::start(|port, dir| {
        let site = dir.path().join("files");
        fs::create_dir(&site).expect("a directory");
        fs::write(site.join("index.html"), "files").expect("a file");
        // Without content, so it needs no room on the disk.
        File::create(site.join("large")).and_then(|file| file.set_len(GIBIBYTE)).expect("a file");
        serve_directory(port, dir, "files")
    })
    .await;
    let app = Program::start(|port, _| node(port, &[])).await;
    door.register("files", files.port, EVERYONE);
    door.register("slow", app.port, EVERYONE);
    let downloads = Ticket::of(&door.inside("files", &door.ada).await, &door, "files");
    let uploads = Ticket::of(&door.inside("slow", &door.ada).await, &door, "slow");

    let memory = MemoryWatch::start(door.running.pid());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let ticket = downloads.clone();
            thread::spawn(move || download(&ticket, client == 0))
        })
        .collect();
    let read: Vec<u64> = clients.into_iter().map(|client| client.join().expect("a client")).collect();
    let down = memory.growth();
    assert_eq!(read[0], GIBIBYTE, "the only client that read to the end");
    assert!(read[1..].iter().all(|bytes| (1..GIBIBYTE).contains(bytes)), "{read:?}");

    let memory = MemoryWatch::start(door.running.pid());
    assert_eq!(upload(&uploads), GIBIBYTE.to_string());
    let up = memory.growth();
    let row = |what: &str, growth: f64| {
        Row::new(what, format!("{growth:.1} MiB"), "at most 10 MiB more memory", growth <= MOST_GROWTH)
    };
    vec![
        row("1 GiB down to 20 slow clients; one of them reads all of it", down),
        row("1 GiB up to a slow app", up),
    ]
}

/// Reads slowly for a while, then to the end or not at all. Returns the bytes of the body that were read.
fn download(ticket: &Ticket, to_the_end: bool) -> u64 {
    let mut stream = ticket.send("GET /large", "");
    let (mut head, mut buffer, mut bytes) = (Vec::new(), vec![0; 64 * 1024], 0);
    let since = Instant::now();
    loop {
        let is_slow = since.elapsed() < SLOW;
        if !is_slow && !to_the_end {
            return bytes;
        }
        let count = stream.read(&mut buffer).expect("a body");
        if count == 0 {
            return bytes;
        }
        let mut body = &buffer[..count];
        if bytes == 0 {
            head.extend_from_slice(body);
            let end =
                head.windows(4).position(|four| four == b"\r\n\r\n").expect("a head in the first bytes");
            assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..end]));
            body = &head[end + 4..];
        }
        assert!(body.iter().all(|byte| *byte == 0), "the file has only zeros");
        bytes += body.len() as u64;
        if is_slow {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends as fast as it can; returns the body of the answer, which says how many bytes the app has read.
fn upload(ticket: &Ticket) -> String {
    let mut stream = ticket.send("PUT /slow", &format!("Content-Length: {GIBIBYTE}\r\n"));
    let part = vec![0; 64 * 1024];
    for _ in 0..GIBIBYTE / part.len() as u64 {
        stream.write_all(&part).expect("a body");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.rsplit("\r\n").find(|line| line.len() > 2).unwrap_or_default().to_owned()
}
