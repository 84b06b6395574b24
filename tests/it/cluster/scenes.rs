//! Maintenance work on the instances under load, and the verdicts.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join_all;

use super::fleet::Fleet;
use super::table::Row;
use crate::history::actors::{Actor, Held, World};
use crate::history::rng::Rng;
use crate::history::simulation::{Summary, lives, name_the_revoked, world};

/// Time for users to log in before the work starts, and to be checked afterwards.
const BEFORE: Duration = Duration::from_millis(1200);
const AFTER: Duration = Duration::from_millis(600);

/// Violations that must not occur.
#[derive(Clone, Copy, PartialEq)]
pub enum Demand {
    /// No request fails.
    Everything,
    /// No user is logged out or served wrongly; failed requests are counted.
    Sessions,
}

/// The load: the same users in every scene, under different names.
pub struct Play {
    pub world: Rc<World>,
    pub held: Vec<Held>,
    pub act: f64,
    seed: u64,
}

impl Play {
    /// Starts the load, runs `act`, and stops the load.
    pub async fn watch(
        fleet: &mut Fleet,
        seed: u64,
        name: &str,
        also_direct: bool,
        act: impl AsyncFnOnce(&mut Fleet, &Rc<World>),
    ) -> Self {
        let mut origins = vec![fleet.nginx.origin()];
        if also_direct {
            origins.extend(fleet.instances());
        }
        let world = world(&fleet.url, name, origins).await;
        let lives = lives(&world, &mut Rng::new(seed));
        sleep(BEFORE).await;
        let begun = Instant::now();
        act(fleet, &world).await;
        let act = begun.elapsed().as_secs_f64();
        sleep(AFTER).await;
        world.over.set(true);
        let held = join_all(lives).await.into_iter().flat_map(|kept| kept.expect("a life")).collect();
        Self { world, held, act, seed }
    }

    /// Requests a page with every remaining key at every instance.
    pub async fn look_again(&mut self, fleet: &Fleet) {
        for held in &mut self.held {
            for origin in fleet.instances() {
                let reply = self.world.look(held, &origin).await;
                held.take_newly_signed(&reply);
            }
        }
    }

    pub fn judge(self, fleet: &Fleet, what: &str, demand: Demand) -> Row {
        let ends = name_the_revoked(&self.world, &fleet.url);
        self.world.history.borrow_mut().ends.extend(ends);
        let summary = Summary::of(self.seed, &self.world, std::collections::BTreeMap::new());
        let tally = self.world.wire.tally();
        let mut misses = Vec::new();
        if !summary.is_good() {
            misses.push(format!("{summary}"));
        }
        if demand == Demand::Everything && tally.failed.values().sum::<usize>() > 0 {
            misses.push(format!("requests failed: {:?}", tally.failed));
        }
        if summary.served < 50 || summary.log_ins < 10 {
            misses.push("too little happened".into());
        }
        Row {
            what: what.into(),
            load: format!("{} log-ins, {} revocations", summary.log_ins, summary.ended),
            tally,
            lost: summary.verdict.lost.len(),
            wrong: summary.verdict.served_after.len() + summary.verdict.stale.len(),
            seconds: self.act,
            misses,
        }
    }
}

/// A user logs in, visits every instance, and logs out at one of them; then every instance is asked at once.
pub async fn log_out_here_and_be_refused_there(fleet: &Fleet, world: &Rc<World>, rounds: usize) {
    for round in 0..rounds {
        let mut actor = Actor::new(world, round % 2, Rng::new(round as u64));
        actor.log_in().await;
        for origin in fleet.instances() {
            if let Some(held) = actor.held.clone() {
                let reply = world.look(&held, &origin).await;
                actor.held =
                    actor.held.map(|held| Held { token: reply.token().unwrap_or(held.token), ..held });
            }
        }
        let Some(held) = actor.held.clone() else { continue };
        actor.log_out(&held).await;
        let origins = fleet.instances();
        join_all(origins.iter().map(|origin| world.look(&held, origin))).await;
    }
}
