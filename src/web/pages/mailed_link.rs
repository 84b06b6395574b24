//! Mailed links: the token leaves the address at the first hit, so that it stands in no history, no shared screen and no
//! `Referer` (ASVS 5.0 14.2.1). For a quarter of an hour it waits in a cookie that only its own page looks at.

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

/// The token this page was opened with; empty where it was opened with none. `Err` is the answer that takes it out of
/// the address.
pub fn token(ctx: &RequestContext) -> Result<String, Box<HttpResponse>> {
    named(ctx, "token")
}

/// The same where the token stands in another parameter of the query.
pub fn named(ctx: &RequestContext, parameter: &str) -> Result<String, Box<HttpResponse>> {
    let path = ctx.request.path();
    if !ctx.has_query(parameter) {
        let waiting = cookies::value(ctx.request.headers(), &ctx.shared.cookie.link);
        let of_this_page =
            waiting.as_deref().and_then(|waiting| waiting.strip_prefix(path)?.strip_prefix('.'));
        return Ok(of_this_page.unwrap_or_default().to_owned());
    }
    // What is no token of ours goes no further; the page then says that the link is dead.
    let given = ctx.mailed_token(parameter);
    let kept = if (1..=64).contains(&given.len()) { given } else { "dead" };
    let cookie = ctx.shared.cookie(&ctx.shared.cookie.link, format!("{path}.{kept}")).max_age(WAITS);
    RequestState::of(&ctx.request).put_cookie(cookie.finish());
    Err(Box::new(flash::see_other(path)))
}

/// The fields of a mailed link's page. If the link does not work, the field "token" is refused: with `dead`, or, if this
/// browser has no token, with what to do about that.
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

/// The link was used: its token opens nothing any more, so the browser drops it.
pub fn used(ctx: &RequestContext, answer: HttpResponse) -> HttpResponse {
    RequestState::of(&ctx.request).put_cookie(ctx.shared.removal(&ctx.shared.cookie.link));
    answer
}
