//! What the lab leaves in a browser: which run it is, the credentials of both sides, and the thief's copy. Sent to
//! `/compare` and below, nowhere else, and gone after half an hour.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::db::Fault;
use crate::lab::{Held, LIFE, Run};
use crate::web::http::cookies;
use crate::web::pages::context::RequestContext;

/// What this browser has shown.
pub struct Hands {
    run: Option<String>,
    pub held: Held,
    pub copy: Option<Held>,
}

impl Hands {
    pub fn of(ctx: &RequestContext) -> Self {
        let value = |name: &str| cookies::value(ctx.request.headers(), name).map(|value| value.into_owned());
        let names = &ctx.shared.cookie.lab;
        Self {
            run: value(&names.run),
            held: Held {
                session: value(&names.session),
                access: value(&names.access),
                refresh: value(&names.refresh),
            },
            copy: value(&names.copy).and_then(|text| Held::unpack(&text)),
        }
    }

    /// The run they belong to, while it lasts.
    pub async fn run(&self, ctx: &RequestContext) -> Result<Option<Run>, Fault> {
        match &self.run {
            Some(key) => ctx.shared.lab.find(key).await,
            None => Ok(None),
        }
    }
}

/// Gives the browser what it holds from now on, and takes away what it does not. `run`: the key of a new run.
pub fn hand_over(
    response: &mut HttpResponse,
    ctx: &RequestContext,
    run: Option<&str>,
    held: &Held,
    copy: Option<&Held>,
) {
    let names = &ctx.shared.cookie.lab;
    if let Some(key) = run {
        put(response, ctx, &names.run, Some(key));
    }
    put(response, ctx, &names.session, held.session.as_deref());
    put(response, ctx, &names.access, held.access.as_deref());
    put(response, ctx, &names.refresh, held.refresh.as_deref());
    put(response, ctx, &names.copy, copy.map(Held::packed).as_deref());
}

pub fn take_back(response: &mut HttpResponse, ctx: &RequestContext) {
    put(response, ctx, &ctx.shared.cookie.lab.run, None);
    hand_over(response, ctx, None, &Held::default(), None);
}

fn put(response: &mut HttpResponse, ctx: &RequestContext, name: &str, value: Option<&str>) {
    let minutes = i64::try_from(LIFE.as_secs() / 60).unwrap_or_default();
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
    // A name of ours and a value of letters: this cannot fail.
    let _ = response.add_cookie(&cookie);
}
