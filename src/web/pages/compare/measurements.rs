//! The last results of the stopwatch and the cost on this server, as `/compare` shows them.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::chart::{Chart, ChartBar, Scale};
use super::copy::measurements as copy;
use crate::lab::{Cost, Lab, Spread, Stopwatch};
use crate::web::pages::view::When;

/// The last results of this server.
pub struct Measurements {
    pub stopwatch: Option<StopwatchView>,
    pub cost: Option<CostView>,
    /// Another measurement is running, and there is no result yet.
    pub busy: bool,
}

pub struct StopwatchView {
    pub when: When,
    pub chart: Chart,
    pub rows: Vec<SpreadRow>,
    pub rounds: usize,
    pub checks: u64,
    pub checks_after: u64,
    pub admitted_after: u64,
    pub token_accepted_after: u64,
    pub token_life: String,
}

pub struct SpreadRow {
    pub label: &'static str,
    pub p50: String,
    pub max: String,
}

pub struct CostView {
    pub when: When,
    pub time: Chart,
    pub bytes: Chart,
    pub checks: Vec<CheckRow>,
    pub operations: Vec<OperationRow>,
    pub rounds: usize,
}

pub struct CheckRow {
    pub label: &'static str,
    pub bytes: usize,
    pub median: String,
    pub to_scale_out: &'static str,
}

pub struct OperationRow {
    pub label: &'static str,
    pub session: String,
    pub token: String,
    pub listed: String,
}

impl Measurements {
    pub fn of(lab: &Lab) -> Self {
        Self {
            stopwatch: lab.last_stopwatch().map(|(result, at)| StopwatchView::new(&result, at)),
            cost: lab.last_cost().map(|(result, at)| CostView::new(&result, at)),
            busy: false,
        }
    }
}

fn measured_at(at: Instant) -> When {
    let now = OffsetDateTime::now_utc();
    When::new(now - at.elapsed(), now)
}

/// In seconds: from a tenth of a millisecond to a quarter of an hour.
const REVOCATION_SCALE: Scale = Scale::Log { from: 1e-4, to: 900.0 };
const REVOCATION_TICKS: [(f64, &str); 8] = [
    (1e-4, "0.1 ms"),
    (1e-3, "1 ms"),
    (1e-2, "10 ms"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (900.0, "15 min"),
];

/// In microseconds.
const CHECK_SCALE: Scale = Scale::Log { from: 0.1, to: 10_000.0 };
const CHECK_TICKS: [(f64, &str); 6] = [
    (0.1, "0.1 µs"),
    (1.0, "1 µs"),
    (10.0, "10 µs"),
    (100.0, "0.1 ms"),
    (1000.0, "1 ms"),
    (10_000.0, "10 ms"),
];

impl StopwatchView {
    fn new(result: &Stopwatch, at: Instant) -> Self {
        let life = copy::measured(result.token_life);
        let measured = |label, is_session, Spread { p50, max }: Spread| {
            let row = SpreadRow { label, p50: copy::measured(p50), max: copy::measured(max) };
            (row, p50, is_session)
        };
        // Without a deny-list the token decides, not the revocation: it is valid for the rest of its life.
        let unlisted = SpreadRow { label: copy::NO_DENY_LIST, p50: copy::up_to(&life), max: life.clone() };
        let measured: [(SpreadRow, Duration, bool); 5] = [
            measured(copy::REVOKING_INSTANCE, true, result.revoking_instance),
            measured(copy::OTHER_INSTANCE, true, result.other_instance),
            measured(copy::ACKNOWLEDGED, true, result.acknowledged),
            measured(copy::DENY_LIST, false, result.deny_list),
            (unlisted, result.token_life, false),
        ];
        let bars = measured.iter().map(|(row, time, is_session)| ChartBar {
            label: row.label,
            value: row.p50.clone(),
            size: time.as_secs_f64(),
            is_session: *is_session,
        });
        Self {
            when: measured_at(at),
            chart: Chart::new(bars, &REVOCATION_SCALE, &REVOCATION_TICKS, copy::STOPWATCH_CHART),
            rows: measured.into_iter().map(|(row, ..)| row).collect(),
            rounds: result.rounds,
            checks: result.checks,
            checks_after: result.checks_after,
            admitted_after: result.admitted_after,
            token_accepted_after: result.token_accepted_after,
            token_life: life,
        }
    }
}

impl CostView {
    fn new(result: &Cost, at: Instant) -> Self {
        let checks = &result.checks;
        let times = checks.iter().map(|check| ChartBar {
            label: copy::check(check.kind),
            value: copy::microseconds(check.microseconds),
            size: check.microseconds,
            is_session: check.kind.is_session(),
        });
        let most = checks.iter().map(|check| check.bytes).max().unwrap_or(1) as f64;
        let bytes = copy::BYTES.into_iter().filter_map(|(kind, label)| {
            let check = checks.iter().find(|check| check.kind == kind)?;
            let (value, size) = (copy::bytes(check.bytes), check.bytes as f64);
            Some(ChartBar { label, value, size, is_session: kind.is_session() })
        });
        let check_rows = checks.iter().map(|check| CheckRow {
            label: copy::check(check.kind),
            bytes: check.bytes,
            median: copy::microseconds(check.microseconds),
            to_scale_out: copy::to_scale_out(check.kind),
        });
        let operation_rows = result.operations.iter().map(|cost| OperationRow {
            label: copy::operation(cost.operation),
            session: copy::row_writes(cost.session),
            token: copy::row_writes(cost.token),
            listed: copy::row_writes(cost.token_with_deny_list),
        });
        Self {
            when: measured_at(at),
            time: Chart::new(times, &CHECK_SCALE, &CHECK_TICKS, copy::TIME_CHART),
            bytes: Chart::new(bytes, &Scale::Linear { to: most }, &[], copy::BYTES_CHART),
            checks: check_rows.collect(),
            operations: operation_rows.collect(),
            rounds: result.rounds,
        }
    }
}
