//! Sessions: what letting somebody in costs, with a session in memory and without; how fast what is taken back is
//! gone; what a session in memory weighs; and the store by itself.

mod checks;
pub mod footprint;
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
    let [mut against_pgbench, mut by_rows, mut one_by_one] = [const { Vec::new() }; 3];
    for _ in 0..report.rounds() {
        let pgbench = few.pgbench(4);
        report.note("lookups, 10,000 rows, pgbench", "a second", pgbench);
        // Its connections are new each time, and need long for so many rows.
        let pgbench_many = many.pgbench(15);
        report.note("lookups, 5,000,000 rows, pgbench", "a second", pgbench_many);
        one_by_one.push(pgbench_many / pgbench);
        let few = few.find();
        few.note(report, "lookups, 10,000 rows, nothing in memory");
        let many = many.find();
        many.note(report, "lookups, 5,000,000 rows, nothing in memory");
        against_pgbench.push(few.per_second / pgbench);
        by_rows.push(many.per_second / few.per_second);
    }
    report.value_of_rounds("cold_vs_pgbench", &against_pgbench);
    report.value("cold_p99_ms", report.median("lookups, 10,000 rows, nothing in memory", "ms p99"));
    report.value_of_rounds("rows_5m_vs_10k", &by_rows);
    report.value_of_rounds("rows_5m_vs_10k_pgbench", &one_by_one);
    place.pin("0-1");
    report.value("bytes_per_session", footprint::bytes_per_session(&many.url, IN_MEMORY));
}
