//! Changes the settings of an app.

use actix_web::HttpResponse;

use super::app_page::{AppPage, change};
use super::settings_form::{SettingsForm, refuse};
use super::{load, show};
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
        match change(&me, &ctx, app.clone(), form.input.seen.as_str(), after).await? {
            None => return Ok(ctx.redirect(&format!("/admin/apps/{slug}"), Flash::AppChanged)),
            Some(refusal @ (AppRefusal::Changed | AppRefusal::FromFile)) => {
                return show::refuse(&ctx, &slug, &refusal).await;
            }
            Some(refusal) => refuse(&mut form.fields, &refusal),
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
