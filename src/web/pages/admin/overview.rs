//! Four numbers, and what happened last.

use actix_web::HttpResponse;
use askama::Template;

use crate::accounts::Day;
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::guard::Admin;
use crate::web::page::{self, Page};
use crate::web::view::{Bar, Event};

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    page: Page,
    stats: Vec<Stat>,
    days: Vec<Bar>,
    events: Vec<Event>,
}

struct Stat {
    label: &'static str,
    value: String,
    note: String,
    href: &'static str,
    bars: Vec<Bar>,
}

pub async fn index(me: Admin, ctx: Ctx) -> Result<HttpResponse, Error> {
    let numbers = ctx.accounts().numbers().await?;
    let (events, _) = ctx.accounts().trail("", 10, 0).await?;
    let today = |days: &[Day]| days.last().map_or(0, |day| day.value);
    let stats = vec![
        Stat {
            label: "People",
            value: numbers.people.to_string(),
            note: format!("{} new today", today(&numbers.registrations)),
            href: "/admin/users",
            bars: bars(&numbers.registrations),
        },
        Stat {
            label: "Live sessions",
            value: numbers.live_sessions.to_string(),
            note: format!("{} opened today", today(&numbers.opened)),
            href: "/admin/sessions",
            bars: bars(&numbers.opened),
        },
        Stat {
            label: "Log-ins",
            value: today(&numbers.log_ins).to_string(),
            note: "today".into(),
            href: "/admin/audit?q=logged-in",
            bars: bars(&numbers.log_ins),
        },
        Stat {
            label: "Refusals",
            value: today(&numbers.refusals).to_string(),
            note: "today".into(),
            href: "/admin/audit?q=log-in-refused",
            bars: bars(&numbers.refusals),
        },
    ];
    page::ok(&OverviewPage {
        page: ctx.page(),
        stats,
        days: bars(&numbers.log_ins),
        events: events.iter().map(|event| Event::of_somebody(event, me.now())).collect(),
    })
}

fn bars(days: &[Day]) -> Vec<Bar> {
    let tallest = days.iter().map(|day| day.value).max().unwrap_or(0).max(1);
    days.iter()
        .map(|day| Bar {
            label: format!("{} {}", day.day.day(), day.day.month()),
            value: u64::try_from(day.value).unwrap_or(0),
            height: u8::try_from(day.value * 100 / tallest).unwrap_or(100),
        })
        .collect()
}
