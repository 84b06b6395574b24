//! The landing page for visitors, and the home page of logged-in users.

use actix_web::HttpResponse;
use askama::Template;
use smol_str::SmolStr;
use time::OffsetDateTime;

use crate::web::http::error::Error;
use crate::web::http::flash;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::SessionView;
use crate::web::session::guard::{SignedIn, Visitor};
use latchkey_sessions::{Policy, SessionRecord};

#[derive(Template)]
#[template(path = "index.html")]
struct HomePage {
    page: Page,
    can_register: bool,
    can_compare: bool,
}

pub async fn landing(visitor: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    if visitor.session.is_some() {
        return Ok(flash::see_other("/home"));
    }
    page::ok(&HomePage {
        page: ctx.page(),
        can_register: ctx.accounts().registration.is_open(),
        can_compare: ctx.shared.lab.is_some(),
    })
}

#[derive(Template)]
#[template(path = "home.html")]
struct DashboardPage {
    page: Page,
    name: SmolStr,
    session: SessionView,
    elapsed: u8,
    /// Other live sessions of the user.
    others: u32,
}

/// Uses only the data that came with the session, so it needs no query.
pub async fn index(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let policy = ctx.accounts().sessions().policy();
    dashboard(
        ctx.page(),
        me.session.owner.name.clone(),
        &me.session.record,
        me.session.others.count,
        me.session.now(),
        policy,
    )
}

/// The page itself; also for the benchmark, which admits its reader in other ways.
pub fn dashboard(
    page: Page,
    name: SmolStr,
    record: &SessionRecord,
    others: u32,
    now: OffsetDateTime,
    policy: &Policy,
) -> Result<HttpResponse, Error> {
    let session = SessionView::new(record, record.handle, now, policy);
    page::ok(&DashboardPage {
        page,
        name,
        elapsed: elapsed(record.created_at.into(), session.ends.at, now),
        session,
        others,
    })
}

/// How much of the session's lifetime has passed, in percent.
fn elapsed(begun: OffsetDateTime, ends: OffsetDateTime, now: OffsetDateTime) -> u8 {
    let whole = (ends - begun).whole_seconds().max(1);
    let gone = (now - begun).whole_seconds().clamp(0, whole);
    u8::try_from(gone * 100 / whole).unwrap_or(100)
}
