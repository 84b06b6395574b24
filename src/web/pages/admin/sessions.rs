//! Everybody's sessions.

use actix_web::HttpResponse;
use askama::Template;

use crate::sessions::Handle;
use crate::web::ctx::{Ctx, Id};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::Form;
use crate::web::guard::Admin;
use crate::web::page::{self, Page};
use crate::web::pages::Button;
use crate::web::view::{PER_PAGE, Pager, SessionRow};

#[derive(Template)]
#[template(path = "admin/sessions.html")]
struct AdminSessionsPage {
    page: Page,
    q: String,
    sessions: Vec<SessionRow>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: Ctx) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.search()?, Pager::asked(&ctx.query("page")));
    let (rows, total) = ctx.accounts().all_sessions(&q, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&AdminSessionsPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        sessions: rows
            .iter()
            .map(|(record, person)| SessionRow::new(record, me.record.handle, me.now()).of(person.as_ref()))
            .collect(),
        q,
    })
}

pub async fn revoke(me: Admin, ctx: Ctx, handle: Id<Handle>, _: Form<Button>) -> Result<HttpResponse, Error> {
    if !ctx.accounts().revoke_any(Some(me.owner.id), handle.0, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect("/admin/sessions", Flash::SessionEnded))
}
