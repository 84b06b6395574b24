//! Four figures with their values on each of the last days, and the latest events.

use actix_web::HttpResponse;
use askama::Template;

use crate::users::DayCount;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{EventView, Series, grouped};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin.html")]
struct OverviewPage {
    page: Page,
    stats: Vec<Stat>,
    days: Vec<DayRow>,
    events: Vec<EventView>,
}

/// Today's value of a figure, with its values on the days before.
struct Stat {
    label: &'static str,
    value: String,
    unit: &'static str,
    note: String,
    href: &'static str,
    series: Series,
    /// What each day of the series counts, for the caption of its table.
    counted: &'static str,
}

/// One day of the table.
struct DayRow {
    label: String,
    log_ins: String,
    refusals: String,
    /// Its share of the day with the most log-ins, 0 to 100.
    width: u8,
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let numbers = ctx.accounts().admin.daily_figures().await?;
    let (events, _) = ctx.accounts().audit.trail("", 10, 0).await?;
    let today = |days: &[DayCount]| grouped(days.last().map_or(0, |day| day.value));
    let in_all = |days: &[DayCount]| grouped(days.iter().map(|day| day.value).sum());
    let stats = vec![
        Stat {
            label: "Users",
            value: today(&numbers.people),
            unit: "now",
            note: format!("{} registered today", today(&numbers.registrations)),
            href: "/admin/users",
            series: series(&numbers.people),
            counted: "Users at the end of the day",
        },
        Stat {
            label: "Sessions",
            value: today(&numbers.live_sessions),
            unit: "now",
            note: format!("{} opened today", today(&numbers.opened)),
            href: "/admin/sessions",
            series: series(&numbers.live_sessions),
            counted: "Live sessions at the end of the day",
        },
        Stat {
            label: "Log-ins",
            value: today(&numbers.log_ins),
            unit: "today",
            note: format!("{} in 14 days", in_all(&numbers.log_ins)),
            href: "/admin/audit?q=logged-in",
            series: series(&numbers.log_ins),
            counted: "Log-ins on that day",
        },
        Stat {
            label: "Refused log-ins",
            value: today(&numbers.refusals),
            unit: "today",
            note: format!("{} in 14 days", in_all(&numbers.refusals)),
            href: "/admin/audit?q=log-in-refused",
            series: series(&numbers.refusals),
            counted: "Refused log-ins on that day",
        },
    ];
    page::ok(&OverviewPage {
        page: ctx.page(),
        stats,
        days: rows(&numbers.log_ins, &numbers.refusals),
        events: events.iter().map(|event| EventView::for_administrators(event, me.session.now())).collect(),
    })
}

fn series(days: &[DayCount]) -> Series {
    Series::new(days.iter().map(|day| (name(day), day.value)))
}

/// The newest day first, as in every list.
fn rows(log_ins: &[DayCount], refusals: &[DayCount]) -> Vec<DayRow> {
    let scaled = series(log_ins);
    log_ins
        .iter()
        .zip(refusals)
        .zip(scaled.bars)
        .map(|((log_ins, refusals), bar)| DayRow {
            label: bar.label,
            log_ins: grouped(log_ins.value),
            refusals: grouped(refusals.value),
            width: bar.height,
        })
        .rev()
        .collect()
}

fn name(day: &DayCount) -> String {
    let short = |name: String| name.chars().take(3).collect::<String>();
    let (weekday, month) = (short(day.day.weekday().to_string()), short(day.day.month().to_string()));
    format!("{weekday} {} {month}", day.day.day())
}
