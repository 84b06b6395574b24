//! Sessions: what a check costs, with the session in memory and without; how fast a revocation is; how much memory a
//! cached session or scoped key takes; and the store alone.

mod checks;
pub mod footprint;
pub mod forget;
mod instances;
mod refused;
mod revocation;
mod scoped;
mod store;

use super::cold::ColdLookups;
use super::environment::Environment;
use super::population;
use super::report::Report;

const FEW: u64 = 10_000;
const MANY: u64 = 5_000_000;

/// Sessions in memory, to compute the size of one.
const CACHED: u64 = 200_000;

pub fn measure(report: &mut Report) {
    let environment = Environment::with_large_memory();
    population::insert(&environment.url, 0..FEW);
    checks::measure(report, &environment);
    let late = revocation::measure(report, &environment) + refused::measure(report, &environment);
    report.value("served_after_revocation", late as f64);
    lookups(report, &environment);
    forget::measure(report);
    scoped::measure(report, &environment);
    store::measure(report);
}

/// Only the lookups.
pub fn measure_lookups(report: &mut Report) {
    let environment = Environment::with_large_memory();
    population::insert(&environment.url, 0..FEW);
    lookups(report, &environment);
}

/// Lookups in the database, with few and with many rows, each compared with pgbench.
fn lookups(report: &mut Report, environment: &Environment) {
    let many = environment.migrated("many");
    population::insert(&many, 0..MANY);
    environment.pin_database("1");
    let few = ColdLookups::new(environment, &environment.url, FEW);
    let many = ColdLookups::new(environment, &many, MANY);
    many.warm_up();
    let [mut against_pgbench, mut alone, mut concurrent, mut in_pgbench] = [const { Vec::new() }; 4];
    for _ in 0..report.rounds() {
        let pgbench = few.pgbench(4);
        report.note("lookups, 10,000 rows, pgbench", "a second", pgbench);
        // Its connections are new each time, and warm up slowly with so many rows.
        let pgbench_many = many.pgbench(15);
        report.note("lookups, 5,000,000 rows, pgbench", "a second", pgbench_many);
        in_pgbench.push(pgbench_many / pgbench);
        let [by_itself, by_itself_many] = [few.find_alone(), many.find_alone()];
        by_itself.note(report, "one lookup after the other, 10,000 rows, nothing in memory");
        by_itself_many.note(report, "one lookup after the other, 5,000,000 rows, nothing in memory");
        alone.push(by_itself.p50_ms / by_itself_many.p50_ms);
        let [few, many] = [few.find(), many.find()];
        few.note(report, "lookups, 10,000 rows, nothing in memory");
        many.note(report, "lookups, 5,000,000 rows, nothing in memory");
        against_pgbench.push(few.per_second / pgbench);
        concurrent.push(many.per_second / few.per_second);
    }
    report.value_of_rounds("cold_vs_pgbench", &against_pgbench);
    report.value("cold_p99_ms", report.median("lookups, 10,000 rows, nothing in memory", "ms p99"));
    // The cost of one lookup; of one of many lookups that share queries; and of the statement alone.
    report.value_of_rounds("rows_5m_vs_10k", &alone);
    report.value_of_rounds("rows_5m_vs_10k_at_once", &concurrent);
    report.value_of_rounds("rows_5m_vs_10k_pgbench", &in_pgbench);
    environment.pin_database("0-1");
    memory(report, &many.url);
}

/// Only the memory of cached sessions and keys.
pub fn measure_memory(report: &mut Report) {
    let environment = Environment::with_large_memory();
    population::insert(&environment.url, 0..2 * CACHED);
    memory(report, &environment.url);
}

fn memory(report: &mut Report, url: &str) {
    report.value("bytes_per_session", footprint::bytes_per_session(url, CACHED));
    report.value("bytes_per_scoped_key", footprint::bytes_per_scoped_key(url, CACHED));
}
