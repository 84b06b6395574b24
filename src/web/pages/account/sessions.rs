//! A user's own sessions, and ending them.

use actix_web::HttpResponse;
use askama::Template;

use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Form;
use crate::web::http::path::{ByHandle, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::SessionView;
use crate::web::session::guard::{Confirmed, SignedIn};
use latchkey_sessions::Handle;

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct SessionsPage {
    page: Page,
    sessions: Vec<SessionView>,
    others: usize,
}

pub async fn index(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let (here, policy) = (me.session.record.handle, ctx.accounts().sessions().policy());
    let mut records = ctx.accounts().login.own_sessions(&me.session).await?;
    records.sort_by_key(|record| record.handle != here);
    page::ok(&SessionsPage {
        page: ctx.page(),
        others: records.iter().filter(|record| record.handle != here).count(),
        sessions: records
            .iter()
            .map(|record| SessionView::new(record, here, me.session.now(), policy))
            .collect(),
    })
}

pub async fn revoke(
    me: Confirmed,
    ctx: RequestContext,
    Path(ByHandle { handle }): Path<ByHandle>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().login.revoke_own_session(me.session.clone(), Handle(handle), ctx.client()).await? {
        return Err(Error::NotFound);
    }
    if handle == me.session.record.handle.0 {
        let mut response = ctx.redirect("/login", Flash::LoggedOut);
        ctx.end_session(&mut response);
        return Ok(response);
    }
    Ok(ctx.redirect("/account/sessions", Flash::SessionEnded))
}

pub async fn revoke_others(
    me: Confirmed,
    ctx: RequestContext,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let ended = ctx.accounts().login.revoke_other_sessions(me.session.clone(), ctx.client()).await?;
    Ok(ctx.redirect("/account/sessions", if ended > 0 { Flash::OthersEnded } else { Flash::NoOthers }))
}
