//! Upstreams that close idle connections: no client sees an error, and no form is posted twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use reqwest::Method;

use super::front_door::FrontDoor;
use super::load::EVERYONE;
use super::program::{Program, gunicorn, node};
use super::report::Row;
use crate::front::support::script;
use crate::history::rng::Rng;
use crate::history::seed;
use crate::support::browser::Browser;

const CLIENTS: usize = 64;

struct Server {
    slug: &'static str,
    what: &'static str,
    program: Program,
    /// How long its connections are kept for another request.
    idle: Duration,
}

#[derive(Default)]
struct Tally {
    gets: usize,
    posts: usize,
    failed_gets: BTreeMap<String, usize>,
    failed_posts: BTreeMap<String, usize>,
}

pub async fn connections_are_closed_by_upstreams(time: Duration) -> Vec<Row> {
    let door = FrontDoor::start().await;
    let server =
        |slug, what, program, idle| Server { slug, what, program, idle: Duration::from_millis(idle) };
    let node = async |arguments: &'static [&str]| Program::start(|port, _| node(port, arguments)).await;
    let gunicorn = Program::start(|port, _| gunicorn(port, "counter")).await;
    let servers = [
        // Latchkey keeps a connection for a second less than that.
        server("announced", "Node, closes after 5 s and announces it", node(&[]).await, 4000),
        server("silent", "Node, closes after 300 ms", node(&["300"]).await, 300),
        server("gunicorn", "gunicorn, closes after 1 s", gunicorn, 1000),
    ];
    let mut rng = Rng::new(seed());
    let mut clients = Vec::new();
    for server in &servers {
        door.register(server.slug, server.program.port, EVERYONE);
        let mut browser = door.inside(server.slug, &door.ada).await.at_app;
        browser.headers = script();
        browser.headers.push(("origin", door.origin(server.slug)));
        clients.push((browser, rng.branch()));
    }
    let begin = Instant::now();
    let loads = servers.iter().zip(clients).map(|(server, (browser, mut rng))| {
        let beats = beats(&mut rng, server.idle, time);
        let clients: Vec<_> = (0..CLIENTS).map(|client| (client, browser.copy(), rng.branch())).collect();
        join_all(
            clients
                .into_iter()
                .map(move |(client, browser, rng)| use_on(begin, beats.clone(), client, browser, rng)),
        )
    });
    let loads = join_all(loads).await;
    let mut rows = Vec::new();
    for (server, tallies) in servers.iter().zip(loads) {
        rows.extend(judge(server, tallies).await);
    }
    rows
}

/// When all clients send a request, as the time since the begin. The pauses are about as long as connections are kept,
/// so that many of them are reused at the moment of their end.
fn beats(rng: &mut Rng, idle: Duration, time: Duration) -> Vec<Duration> {
    let (mut beats, mut at) = (Vec::new(), Duration::ZERO);
    while at < time {
        beats.push(at);
        at += idle * u32::try_from(80 + rng.below(40)).expect("a small number") / 100;
    }
    beats
}

async fn use_on(
    begin: Instant,
    beats: Vec<Duration>,
    client: usize,
    browser: Browser,
    mut rng: Rng,
) -> Tally {
    let mut tally = Tally::default();
    for beat in beats {
        let at = begin + beat + Duration::from_millis(rng.below(20) as u64);
        sleep(at.saturating_duration_since(Instant::now())).await;
        let is_post = rng.below(3) == 0;
        let request = match is_post {
            true => {
                tally.posts += 1;
                browser.request(Method::POST, &format!("/count/{client}-{}", tally.posts)).body("counted")
            }
            false => {
                tally.gets += 1;
                browser.request(Method::GET, "/page")
            }
        };
        let outcome = match request.send().await {
            Err(error) => format!("{error:?}"),
            Ok(answer) => match (answer.status().as_u16(), answer.text().await) {
                (200, Ok(body)) if body == "ok" => continue,
                (200, body) => format!("{body:?}"),
                (status, _) => status.to_string(),
            },
        };
        let failed = if is_post { &mut tally.failed_posts } else { &mut tally.failed_gets };
        *failed.entry(outcome).or_default() += 1;
    }
    tally
}

async fn judge(server: &Server, tallies: Vec<Tally>) -> Vec<Row> {
    let mut all = Tally::default();
    for tally in tallies {
        all.gets += tally.gets;
        all.posts += tally.posts;
        for (into, from) in
            [(&mut all.failed_gets, tally.failed_gets), (&mut all.failed_posts, tally.failed_posts)]
        {
            from.into_iter().for_each(|(why, count)| *into.entry(why).or_default() += count);
        }
    }
    let counts = server.program.counts().await;
    let posted = usize::try_from(counts["posted"].as_u64().expect("a number")).expect("a count");
    let twice = counts["twice"].as_array().expect("a list").len();
    let failed_posts: usize = all.failed_posts.values().sum();
    // Connections were both reused and closed.
    let connections = counts["connections"].as_u64().and_then(|count| usize::try_from(count).ok());
    let is_telling = connections.is_none_or(|count| (CLIENTS + 1..all.gets + all.posts).contains(&count));
    let on = connections.map(|count| format!(", on {count} connections")).unwrap_or_default();
    vec![
        Row::new(
            &format!("GET: {}", server.what),
            failures(all.gets, &all.failed_gets) + &on,
            "none fails",
            is_telling && all.failed_gets.is_empty(),
        ),
        Row::new(
            &format!("POST: {}", server.what),
            format!("{}; {twice} arrived twice", failures(all.posts, &all.failed_posts)),
            "none arrives twice, none is lost after its answer",
            twice == 0 && posted >= all.posts - failed_posts,
        ),
    ]
}

/// `0 of 812 failed`, and how.
fn failures(sent: usize, failed: &BTreeMap<String, usize>) -> String {
    let mut text = format!("{} of {sent} failed", failed.values().sum::<usize>());
    for (why, count) in failed {
        let _ = write!(text, " ({count} × {why})");
    }
    text
}
