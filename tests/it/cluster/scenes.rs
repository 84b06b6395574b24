//! Maintenance work on the instances under load, and the verdicts.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::{join, join_all};

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
    /// No request to the portal fails. The hosts of apps are removed from the proxy for a while.
    Portal,
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
        if fleet.knows_apps {
            world.open_app(&fleet.url).await;
            if let Some(site) = world.app.get().filter(|_| fleet.decides) {
                fleet.decide_for(site.upstream.port).await;
            }
        }
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
        self.look_at_portal_again(fleet).await;
        let Some(site) = self.world.app.get() else { return };
        let in_app = site.remaining.borrow().clone();
        for held in &in_app {
            for origin in fleet.instances() {
                self.world.look_at_app(held, &origin).await;
            }
        }
    }

    /// The same with the keys of the portal alone.
    pub async fn look_at_portal_again(&mut self, fleet: &Fleet) {
        for held in &mut self.held {
            for origin in fleet.instances() {
                let reply = self.world.look(held, &origin).await;
                held.take_newly_signed(&reply);
            }
        }
    }

    pub async fn judge(self, fleet: &Fleet, what: &str, demand: Demand) -> Row {
        self.world.compare_with_app().await;
        let ends = name_the_revoked(&self.world, &fleet.url);
        self.world.history.borrow_mut().ends.extend(ends);
        let summary = Summary::of(self.seed, &self.world, std::collections::BTreeMap::new());
        let tally = self.world.wire.tally();
        let mut misses = Vec::new();
        if !summary.is_good() {
            misses.push(format!("{summary}"));
        }
        if demand != Demand::Sessions && !tally.failed.is_empty() {
            misses.push(format!("requests failed: {:?}", tally.failed));
        }
        if summary.activity.served < 50 || summary.log_ins < 10 {
            misses.push("too little happened".into());
        }
        let app = self.world.app.get().map(|site| site.wire.tally());
        if let Some(app) = &app {
            if demand == Demand::Everything && app.all_failed() > summary.cut_off {
                misses.push(format!("requests to the app failed: {:?}", app.failed));
            }
            // Fewer while the app's host is removed from the proxy.
            let least = if demand == Demand::Portal { 5 } else { 20 };
            if summary.activity.entered < 5 || summary.activity.served_in_app < least {
                misses.push("the app was hardly used".into());
            }
        }
        Row {
            what: what.into(),
            load: format!(
                "{} log-ins, {} revocations, {} entries into the app",
                summary.log_ins, summary.activity.ended, summary.activity.entered
            ),
            tally,
            app,
            lost: summary.verdict.lost.len(),
            wrong: summary.verdict.served_after.len() + summary.verdict.stale.len(),
            seconds: self.act,
            misses,
        }
    }
}

/// A user logs in, enters the app, visits both at every instance, and logs out at one of them; then both are requested
/// at every instance at once. Returns the number of these requests to the app, and how many the app served.
pub async fn log_out_here_and_be_refused_there(
    fleet: &Fleet,
    world: &Rc<World>,
    rounds: usize,
) -> (usize, usize) {
    let (mut asked, mut served) = (0, 0);
    for round in 0..rounds {
        let mut actor = Actor::new(world, round % 2, Rng::new(round as u64));
        actor.log_in().await;
        if let Some(held) = actor.held.clone() {
            actor.enter_app(&held).await;
        }
        let in_app = actor.apps.last().cloned();
        for origin in fleet.instances() {
            if let Some(held) = actor.held.clone() {
                let reply = world.look(&held, &origin).await;
                actor.held =
                    actor.held.map(|held| Held { token: reply.token().unwrap_or(held.token), ..held });
            }
            if let Some(key) = &in_app {
                world.look_at_app(key, &origin).await;
            }
        }
        let Some(held) = actor.held.clone() else { continue };
        actor.log_out(&held).await;
        let origins = fleet.instances();
        let portal = join_all(origins.iter().map(|origin| world.look(&held, origin)));
        let app = join_all(origins.iter().map(async |origin| match &in_app {
            Some(key) => Some(world.look_at_app(key, origin).await),
            None => None,
        }));
        let (_, app) = join(portal, app).await;
        asked += app.iter().flatten().count();
        served += app.into_iter().flatten().filter(|served| *served).count();
    }
    (asked, served)
}
