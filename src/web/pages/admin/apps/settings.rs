//! Changes the settings of an app.

use actix_web::HttpResponse;

use super::app_page::{self, AppEdit, AppPage, EditOutcome, change};
use super::load;
use super::settings_form::{SettingsForm, refuse};
use crate::apps::AppRefusal;
use crate::config::UpstreamsFrom;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Form;
use crate::web::http::path::{BySlug, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::session::guard::Admin;

pub async fn submit(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    mut form: Form<SettingsForm>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let can_set_upstream = ctx.accounts().apps.upstreams_from() == UpstreamsFrom::Admin;
    if let Some(after) = form.input.apply(&app, can_set_upstream, &mut form.fields) {
        let seen = form.input.seen.as_str();
        match change(&me, &ctx, AppEdit { before: app.clone(), after, seen, done: Flash::AppChanged }).await?
        {
            EditOutcome::Answered(response) => return Ok(response),
            // What was typed would undo the other change, so it is not kept.
            EditOutcome::Refused(why @ AppRefusal::Changed) => {
                return app_page::refuse(&ctx, &slug, &why).await;
            }
            EditOutcome::Refused(why) => refuse(&mut form.fields, &why),
        }
    }
    page::refused(&AppPage::new(&ctx, &app).await?.with_settings(form.fields))
}

/// With the values that were typed before the confirmation expired.
pub async fn again(
    _: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    page::ok(&AppPage::new(&ctx, &app).await?.with_settings(draft.0))
}
