//! The activity of the user's account.

use actix_web::HttpResponse;
use askama::Template;

use crate::identity::UserSession as _;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{EventView, PER_PAGE, Pager};
use crate::web::session::guard::SignedIn;

#[derive(Template)]
#[template(path = "account/activity.html")]
struct ActivityPage {
    page: Page,
    events: Vec<EventView>,
    pager: Pager,
}

pub async fn index(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let asked = Pager::asked(&ctx.query("page"));
    let (events, total) =
        ctx.accounts().audit.activity(me.session.user_id(), PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&ActivityPage {
        pager: Pager::new(asked, total, &page, ""),
        page,
        events: events.iter().map(|event| EventView::own(event, me.session.now())).collect(),
    })
}
