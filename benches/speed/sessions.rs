//! Sessions: what letting somebody in costs, with a session in memory and without; how fast what is taken back is
//! gone; what a session in memory weighs; and the store by itself.

mod checks;
pub mod footprint;
pub mod forget;
mod instances;
mod refused;
mod revocation;
mod store;

use super::cold::Cold;
use super::crowd;
use super::place::Place;
use super::report::Report;

const FEW: u64 = 10_000;
const MANY: u64 = 5_000_000;

/// So many in memory, to see what one of them weighs.
const IN_MEMORY: u64 = 200_000;

pub fn measure(report: &mut Report) {
    let place = Place::spacious();
    crowd::admit(&place.url, 0..FEW);
    checks::measure(report, &place);
    let late = revocation::measure(report, &place) + refused::measure(report, &place);
    report.value("served_after_revocation", late as f64);
    lookups(report, &place);
    forget::measure(report);
    store::measure(report);
}

/// The lookups by themselves.
pub fn measure_lookups(report: &mut Report) {
    let place = Place::spacious();
    crowd::admit(&place.url, 0..FEW);
    lookups(report, &place);
}

/// From the database, among few and among many, and each against pgbench.
fn lookups(report: &mut Report, place: &Place) {
    let many = place.migrated("many");
    crowd::admit(&many, 0..MANY);
    place.pin("1");
    let few = Cold::new(place, &place.url, FEW);
    let many = Cold::new(place, &many, MANY);
    many.warm_up();
    let [mut against_pgbench, mut alone, mut at_once, mut in_pgbench] = [const { Vec::new() }; 4];
    for _ in 0..report.rounds() {
        let pgbench = few.pgbench(4);
        report.note("lookups, 10,000 rows, pgbench", "a second", pgbench);
        // Its connections are new each time, and need long for so many rows.
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
        at_once.push(many.per_second / few.per_second);
    }
    report.value_of_rounds("cold_vs_pgbench", &against_pgbench);
    report.value("cold_p99_ms", report.median("lookups, 10,000 rows, nothing in memory", "ms p99"));
    // What one lookup costs; what many that share queries cost each, which is less among few rows and among many; and
    // what the statement alone costs.
    report.value_of_rounds("rows_5m_vs_10k", &alone);
    report.value_of_rounds("rows_5m_vs_10k_at_once", &at_once);
    report.value_of_rounds("rows_5m_vs_10k_pgbench", &in_pgbench);
    place.pin("0-1");
    report.value("bytes_per_session", footprint::bytes_per_session(&many.url, IN_MEMORY));
}
