//! The front page for visitors, and home for those who are in.

use actix_web::HttpResponse;
use askama::Template;
use time::OffsetDateTime;

use crate::config::Registration;
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash;
use crate::web::guard::{SignedIn, Visitor};
use crate::web::page::{self, Page};
use crate::web::view::{Event, SessionRow};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    page: Page,
    can_register: bool,
}

pub async fn landing(visitor: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    if visitor.0.is_some() {
        return Ok(flash::see_other("/home"));
    }
    page::ok(&HomePage {
        page: ctx.page(),
        can_register: ctx.accounts().registration() == Registration::Open,
    })
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    page: Page,
    name: String,
    session: SessionRow,
    elapsed: u8,
    attention: Vec<Attention>,
    events: Vec<Event>,
}

struct Attention {
    text: String,
    href: &'static str,
    action: &'static str,
}

const EVENTS: i64 = 5;

pub async fn index(me: SignedIn, ctx: Ctx) -> Result<HttpResponse, Error> {
    let now = me.now;
    let others = ctx.accounts().own_sessions(&me).await?.len().saturating_sub(1);
    let (events, _) = ctx.accounts().activity(me.owner.id, EVENTS, 0).await?;
    page::ok(&DashboardPage {
        page: ctx.page(),
        name: me.owner.name.clone(),
        session: SessionRow::new(&me.record, me.record.handle, now),
        elapsed: elapsed(me.record.created_at, me.record.expires_at, now),
        attention: attention(others),
        events: events.iter().map(|event| Event::own(event, now)).collect(),
    })
}

fn attention(others: usize) -> Vec<Attention> {
    let text = match others {
        0 => return Vec::new(),
        1 => "You are logged in on 1 other device.".to_owned(),
        more => format!("You are logged in on {more} other devices."),
    };
    vec![Attention { text, href: "/account/sessions", action: "See them" }]
}

/// How much of the session's life is over, in percent.
fn elapsed(begun: OffsetDateTime, ends: OffsetDateTime, now: OffsetDateTime) -> u8 {
    let whole = (ends - begun).whole_seconds().max(1);
    let gone = (now - begun).whole_seconds().clamp(0, whole);
    u8::try_from(gone * 100 / whole).unwrap_or(100)
}
