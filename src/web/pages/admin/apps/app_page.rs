//! The page of an app, which every form on it shows again if it is refused.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::HttpResponse;
use askama::Template;

use super::{load, settings_form};
use crate::apps::{Access, App, AppRefusal, AppSource, AppWarning, Rule, RuleScope};
use crate::config::UpstreamsFrom;
use crate::db::Refusable as _;
use crate::identity::UserSession as _;
use crate::web::copy::access::{UserEmails, when, who};
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Fields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, FlashMessage, Page};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/apps/slug.html")]
pub struct AppPage {
    page: Page,
    app: AppView,
    rules: Vec<RuleView>,
    settings: Fields,
    rule: Fields,
    /// The positions where a new rule can go, with their labels.
    places: Vec<(String, String)>,
    open_to_everyone: Option<usize>,
    can_set_upstream: bool,
    seen: String,
}

struct AppView {
    slug: String,
    name: String,
    origins: Vec<String>,
    /// Empty if there is none.
    upstream: String,
    state: &'static str,
    is_editable: bool,
}

struct RuleView {
    number: usize,
    when: String,
    who: String,
    note: String,
    /// A rule above it matches every request.
    is_unreachable: bool,
}

/// The rules of an app, in words.
fn rule_views(app: &App, emails: &UserEmails) -> Vec<RuleView> {
    let first_of_all = app.rules.iter().position(|rule| rule.when == RuleScope::default());
    let view = |(at, rule): (usize, &Rule)| RuleView {
        number: at + 1,
        when: when(&rule.when),
        who: who(rule, emails),
        note: rule.note.clone(),
        is_unreachable: first_of_all.is_some_and(|first| first < at),
    };
    app.rules.iter().enumerate().map(view).collect()
}

/// Identifies the state of an app that a page shows. A form that was made from another state is refused, because its
/// numbers of rules may be out of date.
pub fn fingerprint(app: &App) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{app:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl AppPage {
    pub async fn new(ctx: &RequestContext, app: &App) -> Result<Self, Error> {
        let apps = &ctx.accounts().apps;
        let emails: UserEmails = apps.addresses_in(app).await?.into_iter().collect();
        let anyone = apps.warnings(app).contains(&AppWarning::AnyoneMayRegister);
        let open = app.rules.iter().position(|rule| rule.access == Access::SignedIn);
        let places = std::iter::once(("0".to_owned(), "First".to_owned()))
            .chain((1..=app.rules.len()).map(|number| (number.to_string(), format!("After rule {number}"))));
        Ok(Self {
            page: ctx.page().at(&format!("/admin/apps/{}", app.slug)),
            rules: rule_views(app, &emails),
            settings: settings_form::fields(app),
            rule: Fields::default(),
            places: places.collect(),
            open_to_everyone: open.filter(|_| anyone).map(|at| at + 1),
            can_set_upstream: apps.upstreams_from() == UpstreamsFrom::Admin,
            seen: fingerprint(app),
            app: AppView {
                slug: app.slug.to_string(),
                name: app.name.clone(),
                origins: app.origins.iter().map(ToString::to_string).collect(),
                upstream: app.upstream.as_ref().map(ToString::to_string).unwrap_or_default(),
                state: if app.enabled { "active" } else { "disabled" },
                is_editable: app.source == AppSource::Pages,
            },
        })
    }

    /// With the form of a new rule as it was typed.
    pub fn with_rule(self, rule: Fields) -> Self {
        Self { rule, ..self }
    }

    /// With the form of the settings as it was typed.
    pub fn with_settings(self, settings: Fields) -> Self {
        Self { settings, ..self }
    }

    /// 422 with a message that belongs to no field.
    fn refused_because(mut self, why: Phrase) -> Result<HttpResponse, Error> {
        self.page.flash = Some(FlashMessage { code: why.code, kind: "bad", text: why.text });
        page::refused(&self)
    }
}

/// A change of an app by a form on its page.
pub struct AppEdit<'a> {
    pub before: App,
    pub after: App,
    /// The fingerprint from the form.
    pub seen: &'a str,
    /// What the page says afterwards.
    pub done: Flash,
}

/// What came of a change.
pub enum EditOutcome {
    Answered(HttpResponse),
    /// To be shown beside a field of the form.
    Refused(AppRefusal),
}

/// Changes an app, and leads back to its page.
pub async fn change(me: &Admin, ctx: &RequestContext, edit: AppEdit<'_>) -> Result<EditOutcome, Error> {
    let AppEdit { before, after, seen, done } = edit;
    if seen != fingerprint(&before) {
        return Ok(EditOutcome::Refused(AppRefusal::Changed));
    }
    let slug = before.slug.clone();
    match ctx.accounts().apps.change(Some(me.session.user_id()), before, after, ctx.client()).await.split()? {
        Ok(()) => Ok(EditOutcome::Answered(ctx.redirect(&format!("/admin/apps/{slug}"), done))),
        Err(AppRefusal::NoSuchApp) => Err(Error::NotFound),
        // Then the page has no form.
        Err(refusal @ AppRefusal::FromFile) => {
            Ok(EditOutcome::Answered(refuse(ctx, slug.as_str(), &refusal).await?))
        }
        Err(refusal) => Ok(EditOutcome::Refused(refusal)),
    }
}

/// The same for a form without fields.
pub async fn change_at_once(
    me: &Admin,
    ctx: &RequestContext,
    edit: AppEdit<'_>,
) -> Result<HttpResponse, Error> {
    let slug = edit.before.slug.clone();
    match change(me, ctx, edit).await? {
        EditOutcome::Answered(response) => Ok(response),
        EditOutcome::Refused(refusal) => refuse(ctx, slug.as_str(), &refusal).await,
    }
}

/// The page of the app, as it is stored now, with the reason why nothing was changed.
pub async fn refuse(ctx: &RequestContext, slug: &str, refusal: &AppRefusal) -> Result<HttpResponse, Error> {
    AppPage::new(ctx, &load(ctx, slug).await?).await?.refused_because(refusal.into())
}
