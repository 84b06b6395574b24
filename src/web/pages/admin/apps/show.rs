//! Shows, enables, disables and removes an app.

use actix_web::HttpResponse;

use super::app_page::{AppPage, change, fingerprint};
use super::load;
use crate::apps::{App, AppRefusal};
use crate::db::Refusable as _;
use crate::identity::UserSession as _;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Form;
use crate::web::http::path::{BySlug, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::session::guard::Admin;

pub async fn show(
    _: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
) -> Result<HttpResponse, Error> {
    page::ok(&AppPage::new(&ctx, &load(&ctx, &slug).await?).await?)
}

pub async fn enable(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    set_enabled(&me, &ctx, &slug, true, Flash::AppEnabled).await
}

pub async fn disable(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    set_enabled(&me, &ctx, &slug, false, Flash::AppDisabled).await
}

async fn set_enabled(
    me: &Admin,
    ctx: &RequestContext,
    slug: &str,
    enabled: bool,
    done: Flash,
) -> Result<HttpResponse, Error> {
    let app = load(ctx, slug).await?;
    let after = App { enabled, ..app.clone() };
    let seen = fingerprint(&app);
    match change(me, ctx, app, &seen, after).await? {
        None => Ok(ctx.redirect(&format!("/admin/apps/{slug}"), done)),
        Some(refusal) => refuse(ctx, slug, &refusal).await,
    }
}

pub async fn remove(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let removed =
        ctx.accounts().apps.remove(Some(me.session.user_id()), app.id, ctx.client()).await.split()?;
    match removed {
        Ok(()) => Ok(ctx.redirect("/admin/apps", Flash::AppRemoved)),
        Err(AppRefusal::NoSuchApp) => Err(Error::NotFound),
        Err(refusal) => refuse(&ctx, &slug, &refusal).await,
    }
}

/// The page of the app, as it is stored now, with the reason why nothing was changed.
pub(super) async fn refuse(
    ctx: &RequestContext,
    slug: &str,
    refusal: &AppRefusal,
) -> Result<HttpResponse, Error> {
    AppPage::new(ctx, &load(ctx, slug).await?).await?.refused_because(refusal.into())
}
