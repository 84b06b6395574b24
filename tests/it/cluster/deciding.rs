//! nginx carries the traffic of an app, and three instances decide about each request of its users.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Client;

use super::fleet::Fleet;
use super::scenes::{Demand, Play};
use crate::history::actors::{Actor, World};
use crate::history::rng::Rng;
use crate::history::seed;
use crate::history::simulation::world;

/// How long an instance may be unreachable before a revocation no longer waits for it, with room for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

async fn start() -> Fleet {
    let mut fleet = Fleet::start(None, Duration::ZERO).await;
    fleet.decides = true;
    fleet
}

#[actix_web::test]
async fn a_rolling_restart_of_the_deciding_instances_gives_no_wrong_answer() {
    let mut fleet = start().await;
    let mut play = Play::watch(&mut fleet, seed(), "roll", false, async |fleet, _| {
        fleet.roll(|same| same).await;
    })
    .await;
    play.look_again(&fleet).await;
    let row = play.judge(&fleet, "rolling restart, nginx asks", Demand::Everything).await;
    assert!(row.misses.is_empty(), "{:#?}", row.misses);
}

#[actix_web::test]
async fn while_one_of_the_deciding_instances_is_gone_the_others_decide() {
    let mut fleet = start().await;
    let mut play = Play::watch(&mut fleet, seed(), "gone", false, async |fleet, _| {
        fleet.running[0].kill().await;
        // Long enough for a busy machine to serve some users.
        sleep(Duration::from_secs(5)).await;
        fleet.running[0] = fleet.programs[0].serve_ready().await;
    })
    .await;
    play.look_again(&fleet).await;
    let row = play.judge(&fleet, "one killed, nginx asks", Demand::Sessions).await;
    assert!(row.misses.is_empty(), "{:#?}", row.misses);
    // A GET is decided by another instance. A form to the portal may have been at the killed one.
    let app = row.app.expect("an app");
    assert_eq!(app.failed("GET"), 0, "{:?}", app.failed);
}

/// A user with a key of the app, and the cookie of that key.
async fn inside(world: &Rc<World>, number: usize) -> (Actor, String) {
    let mut actor = Actor::new(world, 0, Rng::new(number as u64));
    while actor.held.is_none() {
        actor.log_in().await;
    }
    let held = actor.held.clone().expect("a session");
    // The form of the page logs out.
    actor.home(&held).await;
    let held = actor.held.clone().expect("a session");
    actor.enter_app(&held).await;
    let cookie = actor.apps.last().expect("a key of the app").cookie().to_owned();
    (actor, cookie)
}

/// The status of a decision about the start page of the app.
async fn decision(client: &Client, listener: u16, cookie: &str) -> u16 {
    let question = client.get(format!("http://127.0.0.1:{listener}/decide/nginx/wiki"));
    let question =
        question.header("x-original-url", "http://wiki.localhost/").header("x-original-method", "GET");
    let question = question.header("x-forwarded-for", "192.0.2.7").header("cookie", cookie);
    question.send().await.expect("a decision").status().as_u16()
}

#[actix_web::test]
async fn after_the_answer_to_a_log_out_no_instance_lets_the_user_in_not_even_one_that_was_frozen() {
    let fleet = start().await;
    let world = world(&fleet.url, "freeze", vec![fleet.programs[1].origin()]).await;
    world.open_app(&fleet.url).await;
    let client = Client::builder().no_proxy().build().expect("a client");
    let everywhere = async |cookie: &str, listeners: &[u16]| {
        join_all(listeners.iter().map(|listener| decision(&client, *listener, cookie))).await
    };
    for round in 0..10 {
        let (mut actor, cookie) = inside(&world, round).await;
        assert_eq!(everywhere(&cookie, &fleet.listeners).await, [200, 200, 200], "round {round}");
        let held = actor.held.clone().expect("a session");
        actor.log_out(&held).await;
        assert_eq!(everywhere(&cookie, &fleet.listeners).await, [401, 401, 401], "round {round}");
    }
    let (mut actor, cookie) = inside(&world, 10).await;
    assert_eq!(everywhere(&cookie, &fleet.listeners).await, [200, 200, 200]);
    fleet.running[0].signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let held = actor.held.clone().expect("a session");
    actor.log_out(&held).await;
    assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(everywhere(&cookie, &fleet.listeners[1..]).await, [401, 401]);
    // The frozen instance has the key in memory, and no lease.
    let asked = decision(&client, fleet.listeners[0], &cookie);
    let thawed = async {
        sleep(Duration::from_millis(50)).await;
        fleet.running[0].signal(Signal::SIGCONT);
    };
    let (status, ()) = futures_util::future::join(asked, thawed).await;
    assert_eq!(status, 401);
    assert_eq!(everywhere(&cookie, &fleet.listeners).await, [401, 401, 401]);
}
