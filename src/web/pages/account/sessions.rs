//! Where you are logged in, and ending it.

use actix_web::HttpResponse;
use askama::Template;

use crate::sessions::Handle;
use crate::web::ctx::{Ctx, Id};
use crate::web::current_session;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::Form;
use crate::web::guard::{Confirmed, SignedIn};
use crate::web::page::{self, Page};
use crate::web::pages::Button;
use crate::web::view::SessionRow;

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct SessionsPage {
    page: Page,
    sessions: Vec<SessionRow>,
    others: usize,
}

pub async fn index(me: SignedIn, ctx: Ctx) -> Result<HttpResponse, Error> {
    let (here, policy) = (me.record.handle, ctx.accounts().sessions().policy());
    let mut records = ctx.accounts().login.own_sessions(&me).await?;
    records.sort_by_key(|record| record.handle != here);
    page::ok(&SessionsPage {
        page: ctx.page(),
        others: records.iter().filter(|record| record.handle != here).count(),
        sessions: records.iter().map(|record| SessionRow::new(record, here, me.now(), policy)).collect(),
    })
}

pub async fn revoke(
    me: Confirmed,
    ctx: Ctx,
    handle: Id<Handle>,
    _: Form<Button>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().login.revoke_own(me.0.clone(), handle.0, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    if handle.0 == me.record.handle {
        let mut response = ctx.redirect("/login", Flash::LoggedOut);
        current_session::end(&mut response, &ctx.shared);
        return Ok(response);
    }
    Ok(ctx.redirect("/account/sessions", Flash::SessionEnded))
}

pub async fn revoke_others(me: Confirmed, ctx: Ctx, _: Form<Button>) -> Result<HttpResponse, Error> {
    let ended = ctx.accounts().login.revoke_others(me.0.clone(), ctx.client()).await?;
    Ok(ctx.redirect("/account/sessions", if ended > 0 { Flash::OthersEnded } else { Flash::NoOthers }))
}
