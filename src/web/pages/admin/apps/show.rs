//! Shows, enables, disables and removes an app.

use actix_web::HttpResponse;

use super::app_page::{AppEdit, AppPage, change_at_once, fingerprint, refuse};
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
    let before = load(ctx, slug).await?;
    let after = App { enabled, ..before.clone() };
    let seen = &fingerprint(&before);
    change_at_once(me, ctx, AppEdit { before, after, seen, done }).await
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
