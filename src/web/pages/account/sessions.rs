//! A user's own sessions, and ending them.

use std::collections::HashSet;

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::apps::AppId;
use crate::identity::UserSession as _;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset};
use crate::web::http::path::{ByHandle, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{SessionView, UsedApp, When};
use crate::web::session::guard::{Confirmed, SignedIn};
use latchkey_sessions::{Handle, ScopedKeyRecord, SessionRecord};

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct SessionsPage {
    page: Page,
    sessions: Vec<SessionView>,
    others: usize,
}

pub async fn index(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let (here, policy) = (me.session.record.handle, ctx.accounts().sessions().policy());
    let mut records = ctx.accounts().login.own_sessions(&me.session).await?;
    records.sort_by_key(|record| record.handle != here);
    let apps = used_apps(&me, &ctx).await?;
    let row = |record: &SessionRecord| {
        let mut row = SessionView::new(record, here, me.session.now(), policy);
        row.apps
            .extend(apps.iter().filter(|(handle, _)| *handle == record.handle).map(|(_, app)| app.clone()));
        row
    };
    page::ok(&SessionsPage {
        page: ctx.page(),
        others: records.iter().filter(|record| record.handle != here).count(),
        sessions: records.iter().map(row).collect(),
    })
}

/// The apps that each of the user's sessions has entered. If there are no apps, nothing is queried.
async fn used_apps(me: &SignedIn, ctx: &RequestContext) -> Result<Vec<(Handle, UsedApp)>, Error> {
    let snapshot = ctx.accounts().apps.snapshot().await?;
    if snapshot.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<ScopedKeyRecord> = ctx.accounts().apps.entered(me.session.user_id()).await?;
    // An app with several origins has a key for each; the last used one comes first.
    let mut known = HashSet::new();
    keys.retain(|key| known.insert((key.session, key.scope)));
    let used = |key: ScopedKeyRecord| {
        let app = snapshot.by_id(AppId(key.scope))?;
        let last_used = When::new(key.last_seen_at, me.session.now());
        Some((key.session, UsedApp { slug: app.slug.to_string(), name: app.name.clone(), last_used }))
    };
    Ok(keys.into_iter().filter_map(used).collect())
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct LeaveAppForm {
    app: Preset,
}

impl FormInput for LeaveAppForm {}

/// Ends the access of one session to an app. The session itself stays.
pub async fn leave(
    me: Confirmed,
    ctx: RequestContext,
    Path(ByHandle { handle }): Path<ByHandle>,
    form: Form<LeaveAppForm>,
) -> Result<HttpResponse, Error> {
    let apps = &ctx.accounts().apps;
    let snapshot = apps.snapshot().await?;
    let app = snapshot.by_slug(form.input.app.as_str()).ok_or(Error::NotFound)?;
    if !apps.leave_on(me.session.clone(), Handle(handle), app, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect("/account/sessions", Flash::AppLeft))
}

pub async fn revoke(
    me: Confirmed,
    ctx: RequestContext,
    Path(ByHandle { handle }): Path<ByHandle>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().login.revoke_own_session(me.session.clone(), Handle(handle), ctx.client()).await? {
        return Err(Error::NotFound);
    }
    if handle == me.session.record.handle.0 {
        let mut response = ctx.redirect("/login", Flash::LoggedOut);
        ctx.end_session(&mut response);
        return Ok(response);
    }
    Ok(ctx.redirect("/account/sessions", Flash::SessionEnded))
}

pub async fn revoke_others(
    me: Confirmed,
    ctx: RequestContext,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let ended = ctx.accounts().login.revoke_other_sessions(me.session.clone(), ctx.client()).await?;
    Ok(ctx.redirect("/account/sessions", if ended > 0 { Flash::OthersEnded } else { Flash::NoOthers }))
}
