//! The sessions of all users.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::identity::UserSession as _;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset};
use crate::web::http::path::{ByHandle, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{PER_PAGE, Pager, SessionView};
use crate::web::session::guard::Admin;
use latchkey_sessions::Handle;

#[derive(Template)]
#[template(path = "admin/sessions.html")]
struct AdminSessionsPage {
    page: Page,
    q: String,
    sessions: Vec<SessionView>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.search()?, Pager::asked(&ctx.query("page")));
    let (rows, total) = ctx.accounts().admin.all_sessions(&q, PER_PAGE, Pager::offset(asked)).await?;
    let (page, policy) = (ctx.page(), ctx.accounts().sessions().policy());
    page::ok(&AdminSessionsPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        sessions: rows
            .iter()
            .map(|(record, person)| {
                SessionView::new(record, me.session.record.handle, me.session.now(), policy)
                    .of(person.as_ref())
            })
            .collect(),
        q,
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct RevokeForm {
    /// The user whose page has the button; empty on the list of sessions.
    user: Preset,
}

impl FormInput for RevokeForm {}

/// Redirects to the page that has the button.
pub async fn revoke(
    me: Admin,
    ctx: RequestContext,
    Path(ByHandle { handle }): Path<ByHandle>,
    form: Form<RevokeForm>,
) -> Result<HttpResponse, Error> {
    let by = (me.session.user_id(), Some(me.session.record.handle));
    if !ctx.accounts().admin.revoke_session(Some(by), Handle(handle), ctx.client()).await? {
        return Err(Error::NotFound);
    }
    let back = match form.input.user.as_str().parse::<Uuid>() {
        Ok(user) => format!("/admin/users/{user}"),
        Err(_) => "/admin/sessions".to_owned(),
    };
    Ok(ctx.redirect(&back, Flash::SessionEnded))
}
