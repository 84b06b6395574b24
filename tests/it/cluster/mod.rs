//! Three instances of the real program behind a real proxy, under load, during an operator's maintenance work.
//! `bin/cluster` runs all of it and prints a table; the tests are a short part of it.

mod deciding;
mod fleet;
mod guard;
mod ha;
pub mod nginx;
pub mod pooler;
mod scenes;
mod table;
mod tunnels;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::rt::time::sleep;

use self::fleet::Fleet;
use self::scenes::{Demand, Play, log_out_here_and_be_refused_there};
use self::table::Table;
use self::tunnels::Told;
use crate::history::{seed, setting};
use crate::support::process::Latchkey;

const NEW: &str = "the-new-secret-zyxwvutsrqponmlkjihgfedcba";
const OLD: &str = "only-for-tests-0123456789-abcdefghijkl";

fn with_secrets(now: &'static str, also: &'static str) -> impl Fn(Latchkey) -> Latchkey {
    move |program| program.with("LATCHKEY__SECRET", now).with("LATCHKEY__SECRET_PREVIOUS", also)
}

#[actix_web::test]
async fn a_rolling_restart_behind_a_proxy_fails_no_request_and_logs_no_user_out() {
    let mut fleet = Fleet::start(None, Duration::ZERO).await;
    let mut play = Play::watch(&mut fleet, seed(), "roll", false, async |fleet, _| {
        // With the next secret known, which is the first step of a change.
        fleet.roll(with_secrets(OLD, NEW)).await;
    })
    .await;
    play.look_again(&fleet).await;
    let row = play.judge(&fleet, "rolling restart", Demand::Everything).await;
    assert!(row.misses.is_empty(), "{:#?}", row.misses);
}

#[actix_web::test]
#[ignore = "not a test: bin/cluster runs it"]
async fn everything_operators_do() {
    let (seed, mut table) = (seed(), Table::default());
    println!("SOAK_SEED={seed}");
    let mut fleet = Fleet::start(None, Duration::from_secs(1)).await;

    let mut play =
        Play::watch(&mut fleet, seed, "roll", false, async |fleet, _| fleet.roll(|same| same).await).await;
    play.look_again(&fleet).await;
    table.0.push(play.judge(&fleet, "rolling restart, drained at the proxy first", Demand::Everything).await);

    let told = RefCell::default();
    let mut play = Play::watch(&mut fleet, seed, "untold", false, async |fleet, world| {
        *told.borrow_mut() = tunnels::roll(fleet, world).await;
    })
    .await;
    play.look_again(&fleet).await;
    let mut row = play.judge(&fleet, "rolling restart, SIGTERM only", Demand::Sessions).await;
    let told: Told = told.into_inner();
    row.load.push_str(&format!(", {told}"));
    row.misses.extend(told.misses);
    table.0.push(row);

    let mut play =
        Play::watch(&mut fleet, seed, "crash", false, async |fleet, _| fleet.crash_in_turn().await).await;
    play.look_again(&fleet).await;
    table.0.push(play.judge(&fleet, "each killed (SIGKILL) and started again", Demand::Sessions).await);

    let asked = Cell::new((0, 0));
    let mut play = Play::watch(&mut fleet, seed, "revoke", true, async |fleet, world| {
        asked.set(log_out_here_and_be_refused_there(fleet, world, 60).await);
    })
    .await;
    play.look_again(&fleet).await;
    let mut row = play.judge(&fleet, "revoked at one, asked at all", Demand::Everything).await;
    let (asked, served) = asked.get();
    row.load.push_str(&format!("; {asked} requests to the app after the answer, {served} served"));
    if asked < 30 || served > 0 {
        row.misses.push(format!("{served} of {asked} requests to the app were served after the answer"));
    }
    table.0.push(row);

    change_the_secret(&mut fleet, &mut table, seed).await;

    if let Some(old) = setting::<PathBuf>("CLUSTER_OLD") {
        drop(fleet);
        fleet = Fleet::start(Some(&old), Duration::from_secs(1)).await;
        upgrade(&mut fleet, &mut table, seed, &old).await;
    }
    println!("{table}");
    if setting::<u8>("CLUSTER_KEEP").is_some() {
        println!("nginx: {}; instances: {:?}. Ctrl-C ends it.", fleet.nginx.origin(), fleet.instances());
        println!("Log in as p0@example.org or, an administrator, p6@example.org: poetical-science-1843");
        crate::history::simulation::world(&fleet.url, "p", Vec::new()).await;
        loop {
            sleep(Duration::from_secs(3600)).await;
        }
    }
    assert!(table.misses().is_empty());
}

/// Every instance knows the new secret before any signs with it; the old one is removed when no cookie needs it.
async fn change_the_secret(fleet: &mut Fleet, table: &mut Table, seed: u64) {
    let mut play = Play::watch(fleet, seed, "secret", false, async |fleet, _| {
        fleet.roll(with_secrets(OLD, NEW)).await;
        fleet.roll(with_secrets(NEW, OLD)).await;
    })
    .await;
    play.look_again(fleet).await;
    let again = play.world.signed_anew.get();
    fleet.roll(|program| with_secrets(NEW, "")(program)).await;
    play.look_again(fleet).await;
    let mut row = play.judge(fleet, "secret changed in three rolls", Demand::Everything).await;
    if again < 20 {
        row.misses.push("hardly a cookie was signed anew".into());
    }
    row.load.push_str(&format!(", {again} cookies signed anew"));
    table.0.push(row);
}

/// The other version first, then both side by side, then this one, and back. While an instance knows no apps, the hosts
/// of apps are not served, as docs/apps.md says: it would answer them with the portal.
async fn upgrade(fleet: &mut Fleet, table: &mut Table, seed: u64, old: &Path) {
    let new = Latchkey::bare();
    let old_knows_apps = fleet.knows_apps;
    let mut play = Play::watch(fleet, seed, "up", false, async |fleet, world| {
        fleet.replace(0, &|program| new.version_of(program), true).await;
        sleep(Duration::from_secs(4)).await;
        fleet.roll(|program| new.version_of(program)).await;
        // If the other version knows no apps, this is the first one. Users who logged in before enter it.
        world.open_app(&fleet.url).await;
        fleet.knows_apps = true;
        sleep(Duration::from_secs(3)).await;
    })
    .await;
    play.look_again(fleet).await;
    table.0.push(play.judge(fleet, "upgrade, two versions side by side", Demand::Everything).await);
    let mut play = Play::watch(fleet, seed, "back", false, async |fleet, world| {
        if !old_knows_apps {
            fleet.serve_apps(false).await;
            world.end_all_app_keys(&fleet.url);
        }
        fleet.roll(|program| program.of_version(old)).await;
    })
    .await;
    if old_knows_apps {
        play.look_again(fleet).await;
        table.0.push(play.judge(fleet, "rolled back on the new schema", Demand::Everything).await);
        return;
    }
    play.look_at_portal_again(fleet).await;
    let what = "rolled back on the new schema, to a version without apps";
    table.0.push(play.judge(fleet, what, Demand::Portal).await);
    let mut play = Play::watch(fleet, seed, "again", false, async |fleet, _| {
        fleet.roll(|program| new.version_of(program)).await;
        fleet.serve_apps(true).await;
        sleep(Duration::from_secs(3)).await;
    })
    .await;
    play.look_again(fleet).await;
    table.0.push(play.judge(fleet, "upgraded again; then the app is served again", Demand::Portal).await);
}
