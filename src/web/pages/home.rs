//! The landing page for visitors, and the home page of logged-in users.

use std::sync::Arc;

use actix_web::HttpResponse;
use askama::Template;
use smol_str::SmolStr;
use time::OffsetDateTime;

use crate::apps::{AccessRequest, Answer, App, Caller, decide};
use crate::identity::{LiveUser, UserSession as _};
use crate::web::http::error::Error;
use crate::web::http::{client_address, flash};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{SessionView, When};
use crate::web::session::guard::{SignedIn, Visitor};
use latchkey_sessions::{Policy, SessionRecord};

#[derive(Template)]
#[template(path = "index.html")]
struct HomePage {
    page: Page,
    can_register: bool,
    can_compare: bool,
}

pub async fn landing(visitor: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    if visitor.session.is_some() {
        return Ok(flash::see_other("/home"));
    }
    page::ok(&HomePage {
        page: ctx.page(),
        can_register: ctx.accounts().registration.is_open(),
        can_compare: ctx.shared.lab.is_some(),
    })
}

#[derive(Template)]
#[template(path = "home.html")]
struct DashboardPage {
    page: Page,
    name: SmolStr,
    session: SessionView,
    elapsed: u8,
    /// Other live sessions of the user.
    others: u32,
    apps: Vec<AppLink>,
}

pub struct AppLink {
    slug: String,
    name: String,
    /// The first character of the name.
    initial: String,
    last_used: Option<When>,
}

/// Without apps, it uses only the data that came with the session, so it needs no query.
pub async fn index(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let policy = ctx.accounts().sessions().policy();
    let apps = own_apps(&me.session, &ctx).await?;
    dashboard(
        ctx.page(),
        apps,
        me.session.owner.name().into(),
        &me.session.record,
        me.session.others.count,
        me.session.now(),
        policy,
    )
}

/// The page itself; also for the benchmark, which admits its reader in other ways.
pub fn dashboard(
    page: Page,
    apps: Vec<AppLink>,
    name: SmolStr,
    record: &SessionRecord,
    others: u32,
    now: OffsetDateTime,
    policy: &Policy,
) -> Result<HttpResponse, Error> {
    let session = SessionView::new(record, record.handle, now, policy);
    page::ok(&DashboardPage {
        page,
        name,
        elapsed: elapsed(record.created_at.into(), session.ends.at, now),
        session,
        others,
        apps,
    })
}

/// The apps whose start page the user can open, perhaps after another proof of identity.
async fn own_apps(live: &LiveUser, ctx: &RequestContext) -> Result<Vec<AppLink>, Error> {
    let snapshot = ctx.accounts().apps.snapshot().await?;
    if snapshot.is_empty() {
        return Ok(Vec::new());
    }
    let request = AccessRequest::navigation("/", client_address::of(&ctx.request, ctx.shared.trusted_hops));
    let caller = Caller::of(live, live.record.confirmed_at);
    let lets_in = |app: &&Arc<App>| {
        app.enabled
            && matches!(
                decide(app, &request, Some(&caller), live.moment()).0,
                Answer::Pass { .. } | Answer::Confirm { .. } | Answer::SecondFactor { enrolled: true, .. }
            )
    };
    let apps: Vec<&Arc<App>> = snapshot.apps().iter().filter(lets_in).collect();
    let keys = if apps.is_empty() { Vec::new() } else { ctx.accounts().apps.entered(live.user_id()).await? };
    let link = |app: &Arc<App>| AppLink {
        slug: app.slug.to_string(),
        name: app.name.clone(),
        initial: app.name.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default(),
        // The last used key comes first.
        last_used: keys
            .iter()
            .find(|key| key.scope == app.id.0)
            .map(|key| When::new(key.last_seen_at, live.now())),
    };
    Ok(apps.into_iter().map(link).collect())
}

/// How much of the session's lifetime has passed, in percent.
fn elapsed(begun: OffsetDateTime, ends: OffsetDateTime, now: OffsetDateTime) -> u8 {
    let whole = (ends - begun).whole_seconds().max(1);
    let gone = (now - begun).whole_seconds().clamp(0, whole);
    u8::try_from(gone * 100 / whole).unwrap_or(100)
}
