//! The audit trail of all users.

use actix_web::HttpResponse;
use askama::Template;

use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{EventView, PER_PAGE, Pager};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct AuditPage {
    page: Page,
    q: String,
    events: Vec<EventView>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.search()?, Pager::asked(&ctx.query("page")));
    let (events, total) = ctx.accounts().audit.trail(&q, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&AuditPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        events: events.iter().map(|event| EventView::for_administrators(event, me.session.now())).collect(),
        q,
    })
}
