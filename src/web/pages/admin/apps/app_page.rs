//! The page of an app, which every form on it shows again if it is refused.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::HttpResponse;
use askama::Template;

use super::settings_form;
use crate::apps::{Access, App, AppRefusal, AppSource, AppWarning, Rule, RuleScope};
use crate::config::UpstreamsFrom;
use crate::db::Refusable as _;
use crate::identity::UserSession as _;
use crate::web::copy::access::{UserEmails, when, who};
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
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
    pub fn refused_because(mut self, why: Phrase) -> Result<HttpResponse, Error> {
        self.page.flash = Some(FlashMessage { code: why.code, kind: "bad", text: why.text });
        page::refused(&self)
    }
}

/// Changes an app. Returns the refusal, if there is one, to be shown beside a field.
///
/// * `seen`: the fingerprint from the form.
pub async fn change(
    me: &Admin,
    ctx: &RequestContext,
    before: App,
    seen: &str,
    after: App,
) -> Result<Option<AppRefusal>, Error> {
    if seen != fingerprint(&before) {
        return Ok(Some(AppRefusal::Changed));
    }
    match ctx.accounts().apps.change(Some(me.session.user_id()), before, after, ctx.client()).await.split()? {
        Ok(()) => Ok(None),
        Err(AppRefusal::NoSuchApp) => Err(Error::NotFound),
        Err(refusal) => Ok(Some(refusal)),
    }
}
