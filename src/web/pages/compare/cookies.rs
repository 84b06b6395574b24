//! The lab's cookies: the key of the run, the credentials of both sides, and the thief's copy. They are sent to
//! `/compare` and the paths below it only, and expire after half an hour.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::lab::{CredentialSet, Credentials, RUN_LIFE, Run};
use crate::web::http::cookies;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;

/// The lab's cookies in a request.
pub struct ReceivedCookies {
    run: Option<String>,
    pub credentials: Credentials,
}

impl ReceivedCookies {
    pub fn of(ctx: &RequestContext) -> Self {
        let value = |name: &str| cookies::value(ctx.request.headers(), name).map(|value| value.into_owned());
        let names = &ctx.shared.cookie.lab;
        let browser = CredentialSet {
            session: value(&names.session),
            access: value(&names.access),
            refresh: value(&names.refresh),
        };
        let copy = value(&names.copy).and_then(|text| CredentialSet::unpack(&text));
        Self { run: value(&names.run), credentials: Credentials { browser, copy } }
    }

    /// The run they belong to, unless it is over.
    pub async fn run(&self, ctx: &RequestContext) -> Result<Option<Run>, Error> {
        match &self.run {
            Some(key) => Ok(ctx.lab()?.find(key).await?),
            None => Ok(None),
        }
    }
}

/// Sets the cookies of these credentials, and removes the others. `run` is the key of a new run.
pub fn set(response: &mut HttpResponse, ctx: &RequestContext, run: Option<&str>, credentials: &Credentials) {
    let names = &ctx.shared.cookie.lab;
    let Credentials { browser, copy } = credentials;
    if let Some(key) = run {
        put(response, ctx, &names.run, Some(key));
    }
    put(response, ctx, &names.session, browser.session.as_deref());
    put(response, ctx, &names.access, browser.access.as_deref());
    put(response, ctx, &names.refresh, browser.refresh.as_deref());
    put(response, ctx, &names.copy, copy.as_ref().map(CredentialSet::packed).as_deref());
}

pub fn remove(response: &mut HttpResponse, ctx: &RequestContext) {
    put(response, ctx, &ctx.shared.cookie.lab.run, None);
    set(response, ctx, None, &Credentials::default());
}

fn put(response: &mut HttpResponse, ctx: &RequestContext, name: &str, value: Option<&str>) {
    let minutes = i64::try_from(RUN_LIFE.as_secs() / 60).unwrap_or_default();
    let mut cookie = Cookie::build(name.to_owned(), value.unwrap_or_default().to_owned())
        .path("/compare")
        .http_only(true)
        .secure(ctx.shared.public.is_secure())
        .same_site(SameSite::Lax)
        .max_age(Duration::minutes(minutes))
        .finish();
    if value.is_none() {
        cookie.make_removal();
    }
    // This cannot fail: the name is ours and the value is ASCII.
    let _ = response.add_cookie(&cookie);
}
