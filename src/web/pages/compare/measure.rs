//! The stopwatch and the cost on `/compare`: two buttons, and what this server measured last, drawn and as tables.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use time::OffsetDateTime;

use crate::lab::{Asked, Cost, Lab, Spread, Stopwatch, Writes};
use crate::throttle::Wait;
use crate::web::http::error::Error;
use crate::web::http::flash;
use crate::web::http::form::Form;
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::pages::view::When;
use crate::web::session::guard::Visitor;

pub async fn stopwatch(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let asked = ctx.shared.lab.ask_stopwatch().await?;
    answer(&ctx, asked, "/compare#stopwatch").await
}

pub async fn cost(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let asked = ctx.shared.lab.ask_cost().await?;
    answer(&ctx, asked, "/compare#cost").await
}

async fn answer(ctx: &RequestContext, asked: Asked, to: &str) -> Result<HttpResponse, Error> {
    match asked {
        Asked::Shown => Ok(flash::see_other(to)),
        Asked::Later(seconds) => {
            let mut page = super::page_of(ctx, "").await?;
            page.page = page.page.at("/compare");
            page.measured.busy = true;
            page::too_many(Wait(seconds), &page)
        }
    }
}

/// What this server has measured since it started.
pub struct Measured {
    pub stopwatch: Option<StopwatchView>,
    pub cost: Option<CostView>,
    /// Somebody else's measurement runs, and there is no result yet.
    pub busy: bool,
}

pub struct StopwatchView {
    pub when: When,
    pub chart: Chart,
    pub rows: Vec<SpreadRow>,
    pub rounds: usize,
    pub asks: u64,
    pub asked_after: u64,
    pub served_after: u64,
    pub accepted_after: u64,
    pub accepted_for: String,
}

pub struct SpreadRow {
    pub what: &'static str,
    pub p50: String,
    pub max: String,
}

pub struct CostView {
    pub when: When,
    pub time: Chart,
    pub bytes: Chart,
    pub checks: Vec<CheckRow>,
    pub deeds: Vec<DeedRow>,
    pub rounds: usize,
}

pub struct CheckRow {
    pub way: &'static str,
    pub bytes: usize,
    pub micros: String,
    pub to_scale_out: &'static str,
}

pub struct DeedRow {
    pub deed: &'static str,
    pub session: String,
    pub token: String,
    pub listed: String,
}

/// Bars below each other. `share` and `at` are hundredths of the width; `y` counts pixels, so that text keeps its size.
pub struct Chart {
    pub lanes: Vec<Lane>,
    pub ticks: Vec<Tick>,
    pub height: usize,
    /// The same in one sentence, for who does not see it.
    pub told: String,
}

pub struct Lane {
    pub label: String,
    pub value: String,
    pub share: String,
    pub is_session: bool,
    pub y: usize,
}

pub struct Tick {
    pub at: String,
    pub label: &'static str,
    pub anchor: &'static str,
    /// Left out where there is little room.
    pub minor: bool,
}

/// Pixels from one lane to the next.
const LANE: usize = 46;

impl Measured {
    pub fn of(lab: &Lab) -> Self {
        Self {
            stopwatch: lab.last_stopwatch().map(|(result, at)| StopwatchView::new(&result, at)),
            cost: lab.last_cost().map(|(result, at)| CostView::new(&result, at)),
            busy: false,
        }
    }
}

fn since(at: Instant) -> When {
    let now = OffsetDateTime::now_utc();
    When::new(now - at.elapsed(), now)
}

/// From a tenth of a millisecond to a quarter of an hour, in seconds.
const TIMES: Scale = Scale::Log { from: 1e-4, to: 900.0 };
const TIME_TICKS: [(f64, &str); 8] = [
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
const CHECKS: Scale = Scale::Log { from: 0.1, to: 10_000.0 };
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
        let life = words(result.accepted_for);
        let spreads = [
            ("Session, this server", Some(result.here)),
            ("Session, the other server", Some(result.there)),
            ("Whoever revoked is answered", Some(result.answered)),
            ("Token, with a deny-list in the database", Some(result.denied)),
            ("Token, without a deny-list", None),
        ];
        let rows: Vec<_> = spreads
            .iter()
            .map(|(what, spread)| SpreadRow {
                what,
                // Revoked at any moment of its life, not just at the first.
                p50: spread.map_or_else(|| format!("up to {life}"), |Spread { p50, .. }| words(p50)),
                max: spread.map_or_else(|| life.clone(), |Spread { max, .. }| words(max)),
            })
            .collect();
        let bars = spreads.iter().enumerate().map(|(at, (what, spread))| {
            let time = spread.map_or(result.accepted_for, |spread| spread.p50);
            Bar { label: what, value: rows[at].p50.clone(), size: time.as_secs_f64(), is_session: at < 3 }
        });
        Self {
            when: since(at),
            chart: Chart::new(bars, &TIMES, &TIME_TICKS, "Time until a revocation counts"),
            rows,
            rounds: result.rounds,
            asks: result.asks,
            asked_after: result.asked_after,
            served_after: result.served_after,
            accepted_after: result.accepted_after,
            accepted_for: life,
        }
    }
}

impl CostView {
    fn new(result: &Cost, at: Instant) -> Self {
        let checks = &result.checks;
        let time = checks.iter().map(|check| Bar {
            label: check.way,
            value: micros(check.microseconds),
            size: check.microseconds,
            is_session: check.is_session,
        });
        let most = checks.iter().map(|check| check.bytes).max().unwrap_or(1) as f64;
        // A deny-list changes nothing on the wire, and where a session is read from does not either.
        let carried = [(1, "Session"), (2, "Token, HS256"), (3, "Token, EdDSA")];
        let bytes = carried.iter().filter_map(|(at, label)| checks.get(*at).map(|check| (label, check)));
        let bytes = bytes.map(|(label, check)| Bar {
            label,
            value: format!("{} bytes", check.bytes),
            size: check.bytes as f64,
            is_session: check.is_session,
        });
        let row = |check: &crate::lab::Check| CheckRow {
            way: check.way,
            bytes: check.bytes,
            micros: micros(check.microseconds),
            to_scale_out: check.to_scale_out,
        };
        let deed = |deed: &crate::lab::Deed| DeedRow {
            deed: deed.deed,
            session: rows_in_words(deed.session),
            token: rows_in_words(deed.token),
            listed: rows_in_words(deed.token_with_deny_list),
        };
        Self {
            when: since(at),
            time: Chart::new(time, &CHECKS, &CHECK_TICKS, "Time for one check"),
            bytes: Chart::new(bytes, &Scale::Linear { to: most }, &[], "Bytes in each request"),
            checks: checks.iter().map(row).collect(),
            deeds: result.deeds.iter().map(deed).collect(),
            rounds: result.rounds,
        }
    }
}

enum Scale {
    Linear { to: f64 },
    Log { from: f64, to: f64 },
}

impl Scale {
    fn share(&self, size: f64) -> f64 {
        let share = match self {
            Self::Linear { to } => size / to,
            Self::Log { from, to } => (size / from).log10() / (to / from).log10(),
        };
        // Even the smallest is seen.
        100.0 * share.clamp(0.004, 1.0)
    }
}

struct Bar<'b> {
    label: &'b str,
    value: String,
    size: f64,
    is_session: bool,
}

impl Chart {
    fn new<'b>(
        bars: impl Iterator<Item = Bar<'b>>,
        scale: &Scale,
        ticks: &[(f64, &'static str)],
        what: &str,
    ) -> Self {
        let lane = |(at, bar): (usize, Bar<'_>)| Lane {
            label: bar.label.to_owned(),
            share: format!("{:.2}", scale.share(bar.size)),
            value: bar.value,
            is_session: bar.is_session,
            y: at * LANE,
        };
        let lanes: Vec<_> = bars.enumerate().map(lane).collect();
        let told: Vec<_> = lanes.iter().map(|lane| format!("{}: {}", lane.label, lane.value)).collect();
        let last = ticks.len().saturating_sub(1);
        let tick = |(at, (size, label)): (usize, &(f64, &'static str))| Tick {
            // The first begins where the bars do, whatever is the least that is seen of a bar.
            at: format!("{:.2}", if at == 0 { 0.0 } else { scale.share(*size) }),
            label,
            anchor: if at == 0 {
                "start"
            } else if at == last {
                "end"
            } else {
                "middle"
            },
            minor: at % 2 == 1 && at != last || at == 6,
        };
        Self {
            height: lanes.len() * LANE + if ticks.is_empty() { 0 } else { 20 },
            ticks: ticks.iter().enumerate().map(tick).collect(),
            told: format!("{what}. {}.", told.join("; ")),
            lanes,
        }
    }

    /// Where the lines of the ticks end, and where their words stand.
    pub fn floor(&self) -> usize {
        self.lanes.len() * LANE
    }
}

fn words(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        _ => format!("{} minutes", time.as_secs() / 60),
    }
}

fn micros(micros: f64) -> String {
    if micros < 10.0 { format!("{micros:.1} µs") } else { format!("{micros:.0} µs") }
}

fn rows_in_words(writes: Option<Writes>) -> String {
    let Some(Writes { inserted, updated, deleted }) = writes else { return "no such thing".into() };
    let parts = [(inserted, "new"), (updated, "changed"), (deleted, "deleted")];
    let parts: Vec<_> =
        parts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}")).collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}
