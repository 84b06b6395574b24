//! Upstreams that close connections which were idle: no client sees an error, and nothing is posted twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;

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
    /// Clients wait up to this long between two requests, so that connections are reused close to the moment of their
    /// end.
    longest_pause: Duration,
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
    let server = |slug, what, program, pause| Server {
        slug,
        what,
        program,
        longest_pause: Duration::from_millis(pause),
    };
    let servers = [
        server(
            "announced",
            "Node, closes after 5 s and announces it",
            Program::start(|port, _| node(port, &[])).await,
            6000,
        ),
        server(
            "silent",
            "Node, closes after 300 ms",
            Program::start(|port, _| node(port, &["300"])).await,
            600,
        ),
        server(
            "gunicorn",
            "gunicorn, closes after 1 s",
            Program::start(|port, _| gunicorn(port, "counter")).await,
            2000,
        ),
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
    let until = Instant::now() + time;
    let loads = servers.iter().zip(clients).map(|(server, (browser, mut rng))| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| (client, browser.copy(), rng.branch())).collect();
        let each = clients
            .into_iter()
            .map(|(client, browser, rng)| use_until(until, client, browser, rng, server.longest_pause));
        join_all(each)
    });
    let loads = join_all(loads).await;
    let mut rows = Vec::new();
    for (server, tallies) in servers.iter().zip(loads) {
        rows.extend(judge(server, tallies).await);
    }
    rows
}

async fn use_until(
    until: Instant,
    client: usize,
    browser: Browser,
    mut rng: Rng,
    longest_pause: Duration,
) -> Tally {
    let mut tally = Tally::default();
    let longest = usize::try_from(longest_pause.as_millis()).expect("a short pause");
    loop {
        sleep(Duration::from_millis(rng.below(longest) as u64)).await;
        if Instant::now() >= until {
            return tally;
        }
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
    let counts = reqwest::get(format!("http://127.0.0.1:{}/counts", server.program.port)).await;
    let counts = counts.expect("an answer").text().await.expect("a text");
    let counts: Value = serde_json::from_str(&counts).expect("counts");
    let posted = usize::try_from(counts["posted"].as_u64().expect("a number")).expect("a count");
    let twice = counts["twice"].as_array().expect("a list").len();
    let failed_posts: usize = all.failed_posts.values().sum();
    let is_busy = all.gets > CLIENTS && all.posts > CLIENTS;
    vec![
        Row::new(
            &format!("GET: {}", server.what),
            failures(all.gets, &all.failed_gets),
            "none fails",
            is_busy && all.failed_gets.is_empty(),
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
