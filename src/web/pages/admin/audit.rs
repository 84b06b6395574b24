//! What happened, to anybody.

use actix_web::HttpResponse;
use askama::Template;

use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::guard::Admin;
use crate::web::page::{self, Page};
use crate::web::view::{Event, PER_PAGE, Pager};

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct AuditPage {
    page: Page,
    q: String,
    events: Vec<Event>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: Ctx) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.search()?, Pager::asked(&ctx.query("page")));
    let (events, total) = ctx.accounts().audit.trail(&q, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&AuditPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        events: events.iter().map(|event| Event::of_somebody(event, me.now())).collect(),
        q,
    })
}
