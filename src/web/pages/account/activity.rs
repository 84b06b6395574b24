//! What happened to your account.

use actix_web::HttpResponse;
use askama::Template;

use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::guard::SignedIn;
use crate::web::page::{self, Page};
use crate::web::view::{Event, PER_PAGE, Pager};

#[derive(Template)]
#[template(path = "account/activity.html")]
struct ActivityPage {
    page: Page,
    events: Vec<Event>,
    pager: Pager,
}

pub async fn index(me: SignedIn, ctx: Ctx) -> Result<HttpResponse, Error> {
    let asked = Pager::asked(&ctx.query("page"));
    let (events, total) = ctx.accounts().audit.activity(me.owner.id, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&ActivityPage {
        pager: Pager::new(asked, total, &page, ""),
        page,
        events: events.iter().map(|event| Event::own(event, me.now())).collect(),
    })
}
