//! An app that stops answering: the portal and other apps are as fast as before, and the app itself gets no more
//! requests than it may have at a time.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join_all;

use super::front_door::FrontDoor;
use super::load::{EVERYONE, Ticket};
use super::program::{Program, node};
use super::report::Row;
use crate::support::browser::Browser;
use crate::support::process::eventually;

const HANGING: usize = 500;

/// How long the portal is measured each time.
const MEASURED: Duration = Duration::from_secs(6);

/// Two users who click without a pause.
const USERS: usize = 2;

pub async fn one_app_hangs() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let app = Program::start(|port, _| node(port, &[])).await;
    // An app that may hang for longer than the measurement takes.
    door.register("hanging", app.port, &format!("max_in_flight = {HANGING}\nhead = \"2m\"\n{EVERYONE}"));
    let user = door.inside("hanging", &door.ada).await;
    let ticket = Ticket::of(&user, &door, "hanging");

    measure(&user.portal).await;
    let before = measure(&user.portal).await;
    let hanging: Vec<TcpStream> = (0..HANGING).map(|_| ticket.send("GET /hang", "")).collect();
    eventually("every request at the app", async || {
        sleep(Duration::from_millis(50)).await;
        (app.counts().await["hanging"] == HANGING).then_some(())
    })
    .await;
    let next = status_of(ticket.send("GET /hang", ""));
    let during = measure(&user.portal).await;
    let other = door.inside("board", &door.ada).await.at_app.get("/").await.status;
    drop(hanging);
    let after = measure(&user.portal).await;

    let usual = before.max(after);
    let text =
        format!("p99 {:.1} ms; {:.1} before, {:.1} after", millis(during), millis(before), millis(after));
    vec![
        Row::new(
            "/home while 500 requests hang in an app",
            text,
            "at most 1.5 times the usual",
            during <= usual.mul_f64(1.5),
        ),
        Row::new("the next request for this app", next.to_string(), "503", next == 503),
        Row::new("another app meanwhile", other.to_string(), "200", other == 200),
    ]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The status of a request; 0 if it hangs.
fn status_of(mut stream: TcpStream) -> u16 {
    let mut answer = [0; 12];
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
    let read = stream.read_exact(&mut answer);
    let code = read.ok().and_then(|()| std::str::from_utf8(&answer[9..]).ok()?.parse().ok());
    code.unwrap_or(0)
}

/// The 99th percentile of the time for a page of the portal.
async fn measure(portal: &Browser) -> Duration {
    let until = Instant::now() + MEASURED;
    let user = async |mut browser: Browser| {
        let mut times = Vec::new();
        while Instant::now() < until {
            let begun = Instant::now();
            browser.get("/home").await.is(200);
            times.push(begun.elapsed());
        }
        times
    };
    let mut times = join_all((0..USERS).map(|_| user(portal.copy()))).await.concat();
    times.sort();
    times[times.len() * 99 / 100]
}
