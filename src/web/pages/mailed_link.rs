//! Mailed links: the first request moves the token out of the URL, so that it appears in no history, shared screen or
//! `Referer` (ASVS 5.0 14.2.1). It waits for 15 minutes in a cookie that only the page of the link reads.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;

use crate::web::copy::links;
use crate::web::copy::phrase::Phrase;
use crate::web::http::form::Fields;
use crate::web::http::request_state::RequestState;
use crate::web::http::{cookies, flash};
use crate::web::pages::context::RequestContext;

/// Long enough to choose a password.
const WAITS: Duration = Duration::minutes(15);

/// The token that this page was opened with; empty if there is none. `Err` is the redirect that removes it from the
/// URL.
pub fn token(ctx: &RequestContext) -> Result<String, Box<HttpResponse>> {
    named(ctx, "token")
}

/// The same for a token in another parameter of the query.
pub fn named(ctx: &RequestContext, parameter: &str) -> Result<String, Box<HttpResponse>> {
    let path = ctx.request.path();
    if !ctx.has_query(parameter) {
        let waiting = cookies::value(ctx.request.headers(), &ctx.shared.cookie.link);
        let of_this_page =
            waiting.as_deref().and_then(|waiting| waiting.strip_prefix(path)?.strip_prefix('.'));
        return Ok(of_this_page.unwrap_or_default().to_owned());
    }
    // Text that is not a token is not stored; the page then says that the link is dead.
    let given = ctx.mailed_token(parameter);
    let kept = if (1..=64).contains(&given.len()) { given } else { "dead" };
    let cookie = ctx.shared.cookie(&ctx.shared.cookie.link, format!("{path}.{kept}")).max_age(WAITS);
    RequestState::of(&ctx.request).put_cookie(cookie.finish());
    Err(Box::new(flash::see_other(path)))
}

/// The fields of a mailed link's page. If the link does not work, the field "token" has an error: `dead`, or what to do
/// if this browser has no token.
pub fn fields(token: String, live: bool, dead: Phrase) -> Fields {
    let missing = token.is_empty();
    let mut fields = Fields::new(vec![("token".into(), token)]);
    match (live, missing) {
        (true, _) => {}
        (false, true) => {
            fields.set("no_token", "1");
            fields.refuse("token", links::NO_TOKEN);
        }
        (false, false) => fields.refuse("token", dead),
    }
    fields
}

pub fn status(live: bool) -> StatusCode {
    if live { StatusCode::OK } else { StatusCode::GONE }
}

/// The link was used and its token is worthless, so the browser drops it.
pub fn used(ctx: &RequestContext, answer: HttpResponse) -> HttpResponse {
    RequestState::of(&ctx.request).put_cookie(ctx.shared.removal(&ctx.shared.cookie.link));
    answer
}
