//! Log out, or cancel a pending log-in. Also works with a dead session: the browser loses its key in either case.

use actix_web::HttpResponse;

use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput};
use crate::web::pages::context::RequestContext;
use crate::web::session::current_session;
use crate::web::session::guard::Visitor;

#[derive(serde::Deserialize)]
pub struct LogOutForm {}

impl FormInput for LogOutForm {
    const TOKEN_WITHOUT_SESSION: bool = false;
}

pub async fn submit(
    visitor: Visitor,
    ctx: RequestContext,
    _: Form<LogOutForm>,
) -> Result<HttpResponse, Error> {
    match visitor.session {
        Some(live) => ctx.accounts().login.log_out(live, ctx.client()).await?,
        // Another request may have ended the session a moment ago: wait until every instance has applied that.
        None if current_session::had_key(&ctx.request) => {
            if let Some(pending) = current_session::pending_key(&ctx.request) {
                ctx.accounts().login.cancel_pending_login(pending).await?;
            }
            ctx.accounts().sessions().wait_until_invalidated().await
        }
        None => {}
    }
    let mut response = ctx.redirect("/login", Flash::LoggedOut);
    ctx.end_session(&mut response);
    Ok(response)
}
