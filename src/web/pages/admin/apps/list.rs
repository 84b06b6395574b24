//! Lists all apps and adds one.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::settings_form;
use crate::apps::{AccessRequest, App, AppRefusal, AppSource, Slug, UnreadableApp, Upstream, decide};
use crate::config::UpstreamsFrom;
use crate::db::Refusable as _;
use crate::identity::UserSession as _;
use crate::web::copy::access::{UserEmails, who};
use crate::web::copy::app_refusals::unreadable;
use crate::web::copy::phrase::Phrase;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/apps.html")]
struct AppsPage {
    page: Page,
    form: Fields,
    apps: Vec<AppListView>,
    unreadable: Vec<UnreadableView>,
    can_add: bool,
    local: bool,
}

struct AppListView {
    slug: String,
    name: String,
    origin: String,
    access: String,
    state: &'static str,
    is_from_file: bool,
}

/// An app that this version cannot read, and what to do.
struct UnreadableView {
    name: String,
    slug: String,
    origin: String,
    advice: Phrase,
}

impl UnreadableView {
    fn new(app: UnreadableApp) -> Self {
        Self {
            advice: unreadable(app.column),
            origin: app.origins.into_iter().next().unwrap_or_default(),
            name: app.name,
            slug: app.slug,
        }
    }
}

impl AppsPage {
    async fn new(me: &Admin, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let apps = &ctx.accounts().apps;
        let mut views = Vec::new();
        let stored = apps.stored().await?;
        for app in stored.apps {
            let rule = decide(&app, &AccessRequest::navigation("/", None), None, me.session.moment()).1.rule;
            let emails: UserEmails = match rule {
                Some(_) => apps.addresses_in(&app).await?.into_iter().collect(),
                None => UserEmails::new(),
            };
            views.push(AppListView {
                slug: app.slug.to_string(),
                origin: app.origins.first().map(ToString::to_string).unwrap_or_default(),
                access: match rule.and_then(|at| app.rules.get(at)) {
                    Some(rule) => who(rule, &emails),
                    None => "No one".to_owned(),
                },
                state: if app.enabled { "active" } else { "disabled" },
                is_from_file: app.source == AppSource::File,
                name: app.name,
            });
        }
        Ok(Self {
            page: ctx.page().at("/admin/apps"),
            form,
            apps: views,
            unreadable: stored.unreadable.into_iter().map(UnreadableView::new).collect(),
            can_add: apps.upstreams_from() == UpstreamsFrom::Admin,
            local: ctx.shared.local,
        })
    }
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&AppsPage::new(&me, &ctx, Fields::default()).await?)
}

/// With the values that were typed before the confirmation expired.
pub async fn again(me: Admin, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&AppsPage::new(&me, &ctx, draft.0).await?)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NewAppForm {
    name: Text,
    slug: Text,
    origin: Text,
    upstream: Text,
}

impl FormInput for NewAppForm {}

pub async fn add(me: Admin, ctx: RequestContext, mut form: Form<NewAppForm>) -> Result<HttpResponse, Error> {
    if let Some(app) = new_app(&ctx, &form.input, &mut form.fields) {
        let slug = app.slug.clone();
        match ctx.accounts().apps.add(Some(me.session.user_id()), app, ctx.client()).await.split()? {
            Ok(()) => return Ok(ctx.redirect(&format!("/admin/apps/{slug}"), Flash::AppAdded)),
            Err(refusal) => refuse(&mut form.fields, &refusal),
        }
    }
    page::refused(&AppsPage::new(&me, &ctx, form.fields).await?)
}

/// The app of the form, with the rules that an app begins with, unless a field was refused.
fn new_app(ctx: &RequestContext, input: &NewAppForm, fields: &mut Fields) -> Option<App> {
    let apps = &ctx.accounts().apps;
    let name = settings_form::name(input.name.as_str(), fields);
    let slug = Slug::parse(input.slug.as_str().trim()).map_err(|why| fields.refuse("slug", why)).ok();
    let mut origins = settings_form::origins("origin", input.origin.as_str(), fields);
    if origins.is_empty() && fields.error("origin").is_none() {
        match slug.as_ref().and_then(|slug| apps.default_origin(slug)) {
            Some(origin) => origins.push(origin),
            None if ctx.shared.local => {}
            None => fields.refuse("origin", &AppRefusal::NoOrigin),
        }
    }
    let upstream =
        Upstream::parse(input.upstream.as_str(), None).map_err(|why| fields.refuse("upstream", why)).ok();
    let (Some(slug), true) = (slug, fields.errors().is_empty()) else { return None };
    Some(App { name, rules: apps.default_rules(), ..App::new(slug, upstream, origins) })
}

fn refuse(fields: &mut Fields, refusal: &AppRefusal) {
    let field = match settings_form::field_of(refusal) {
        "origins" => "origin",
        // Then the page has no form.
        "upstream" if *refusal == AppRefusal::UpstreamNotAllowed => "",
        field => field,
    };
    fields.refuse(field, refusal);
}
