//! Three Postgres nodes whose leader is killed repeatedly while users log in, register and revoke sessions.
//! `bin/cluster --ha` runs it.

mod newcomers;
mod nodes;
mod proof;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::db::migrations;

use self::newcomers::register_forever;
use self::nodes::{Nodes, TTL};
use self::proof::Proof;
use super::pooler::PgBouncer;
use crate::history::actors::World;
use crate::history::record::{Done, Saw};
use crate::history::rng::Rng;
use crate::history::simulation::{Summary, lives, name_the_revoked, unthrottled, world};
use crate::history::{seed, setting};
use crate::support::process::{Latchkey, Running, eventually};

const INSTANCES: usize = 3;

/// Logged-in users must be served again within this many seconds after a node became leader.
const SERVED_WITHIN: f64 = 5.0;

/// The limit for a commit, which needs a standby that follows. The remaining node may have received more than the
/// chosen one and is then rewound first, which took 10 s when it happened.
const COMMITTED_WITHIN: f64 = 20.0;

#[derive(Clone, Copy, PartialEq)]
enum Killed {
    PatroniAndPostgres,
    /// Only Patroni is killed: its Postgres continues as leader, and no process demotes it.
    PatroniAlone,
}

#[actix_web::test]
#[ignore = "not a test: bin/cluster --ha runs it"]
async fn the_leader_is_killed_again_and_again() {
    let seed = seed();
    println!("SOAK_SEED={seed}; Patroni's ttl is {TTL} s");
    let mut nodes = Nodes::start().await;
    let leading = nodes.leading_address();
    eventually("HAProxy", async || migrations::run(&leading).ok().map(drop)).await;
    println!(
        "| way to the leader | killed | leaderless s | served after s | log-in after s | failed GET | failed POST |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|");
    let both = Killed::PatroniAndPostgres;
    let mut misses = Vec::new();
    let kills = [both, both, Killed::PatroniAlone, both];
    let proxied = unthrottled(&leading);
    misses.extend(live(&mut nodes, "HAProxy", "proxied", proxied, &kills, seed).await);
    let every = nodes.every_address();
    let direct = unthrottled(&every);
    misses.extend(live(&mut nodes, "libpq, three hosts", "direct", direct, &[both, both], seed).await);
    let behind =
        format!("host=127.0.0.1 port={} dbname=postgres user=postgres password=only-here", nodes.leader_port);
    let bouncer = PgBouncer::before(&behind).await;
    let pooled = unthrottled(&bouncer.url())
        .with("LATCHKEY__DATABASE__POOLER", "transaction")
        .with("LATCHKEY__DATABASE__DIRECT_URL", &leading);
    misses.extend(live(&mut nodes, "PgBouncer, HAProxy", "pooled", pooled, &[both], seed).await);
    if setting::<u8>("CLUSTER_KEEP").is_some() {
        let instance = unthrottled(&leading).serve_ready().await;
        println!("{} on {leading} or {every}. Ctrl-C ends it.", instance.origin);
        loop {
            sleep(Duration::from_secs(3600)).await;
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

/// Runs instances that connect as `program` does, the actors, and repeated kills. Returns the violations.
async fn live(
    nodes: &mut Nodes,
    way: &str,
    name: &'static str,
    program: Latchkey,
    kills: &[Killed],
    seed: u64,
) -> Vec<String> {
    let first = program
        .with("LATCHKEY__MAIL__SMTP_URL", "smtp://127.0.0.1:9")
        .with("LATCHKEY__THROTTLE__ASKS_PER_HOUR", "1000000");
    let mut programs = vec![first.clone()];
    programs.extend((1..INSTANCES).map(|_| first.on_another_port()));
    let running: Vec<Running> = join_all(programs.iter().map(Latchkey::serve_ready)).await;
    let leading = nodes.leading_address();
    let world = world(&leading, name, programs.iter().map(Latchkey::origin).collect()).await;
    let mut lives = lives(&world, &mut Rng::new(seed));
    let registered = Rc::new(RefCell::new(Vec::new()));
    let newcomers = spawn(register_forever(Rc::clone(&world), name, Rc::clone(&registered)));
    let (mut misses, mut heads) = (Vec::new(), Vec::new());
    for killed in kills {
        sleep(Duration::from_secs(3)).await;
        heads.push(first.run(&["audit", "head"]).well()[0].to_owned());
        misses.extend(round(nodes, &world, way, *killed).await);
    }
    sleep(Duration::from_secs(3)).await;
    world.over.set(true);
    newcomers.await.expect("newcomers");
    let held: Vec<_> =
        join_all(lives.drain(..)).await.into_iter().flat_map(|kept| kept.expect("a life")).collect();
    for instance in &running {
        instance.ready().await;
    }
    for key in &held {
        for origin in &world.origins {
            world.look(key, origin).await;
        }
    }
    let ends = name_the_revoked(&world, &leading);
    world.history.borrow_mut().ends.extend(ends);
    let proof = Proof::of(&world, &leading, name, &registered.borrow());
    let summary = Summary::of(seed, &world, std::collections::BTreeMap::new());
    println!("{way}: {proof}; audit verify against {} heads", heads.len());
    println!("{summary}");
    for head in &heads {
        let verified = first.run(&["audit", "verify", "--head", head]);
        if verified.code != Some(0) {
            misses.push(format!("audit verify --head {head}: {}{}", verified.out, verified.err));
        }
    }
    if !summary.is_good() {
        misses.push("the history is not what was promised".into());
    }
    misses.extend(proof.lost.iter().map(|what| format!("lost: {what}")));
    misses.extend(proof.revived.iter().map(|what| format!("revived: {what}")));
    for instance in &running {
        for line in instance.log() {
            if line.contains("\"level\":\"ERROR\"") || line.contains("panicked") {
                misses.push(line);
            }
        }
    }
    misses
}

/// Kills the leader, waits until another node leads and users are served, and until the killed node follows.
async fn round(nodes: &mut Nodes, world: &World, way: &str, killed: Killed) -> Option<String> {
    let old = eventually("a leader", async || nodes.leader().await).await;
    let before = world.wire.tally();
    let begun = world.wire.now();
    match killed {
        Killed::PatroniAndPostgres => nodes.kill(old),
        Killed::PatroniAlone => nodes.kill_patroni(old),
    }
    eventually("another leader", async || {
        let leader = nodes.leader().await?;
        (leader != old).then_some(())
    })
    .await;
    let leads = world.wire.now();
    // Both begin under the new leader: before, nothing could be read, and a log-in could not be committed.
    let (served, logged_in) = eventually("service", async || {
        let history = world.history.borrow();
        let served =
            history.uses.iter().filter(|used| used.at.begun > leads && matches!(used.saw, Saw::In(_)));
        let served = served.map(|used| used.at.ended).min()?;
        let log_ins =
            history.log_ins.iter().filter(|log_in| log_in.at.begun > begun && log_in.done == Done::Yes);
        let log_ins = log_ins.map(|log_in| log_in.at.ended).filter(|ended| *ended > leads).min()?;
        Some((served, log_ins))
    })
    .await;
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    let after = world.wire.tally();
    let failed = |method| after.failed(method) - before.failed(method);
    let what = match killed {
        Killed::PatroniAndPostgres => "Patroni and Postgres",
        Killed::PatroniAlone => "Patroni alone",
    };
    println!(
        "| {way} | {what} | {:.1} | {:.1} | {:.1} | {} | {} |",
        seconds(begun, leads),
        seconds(leads, served),
        seconds(leads, logged_in),
        failed("GET"),
        failed("POST")
    );
    nodes.start_patroni(old);
    nodes.whole().await;
    let late = seconds(leads, served) > SERVED_WITHIN || seconds(leads, logged_in) > COMMITTED_WITHIN;
    late.then(|| format!("{way}, {what}: back too late"))
}
