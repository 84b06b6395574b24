//! Shows what would happen to a request for an app, and why.

use std::net::IpAddr;

use actix_web::HttpResponse;
use askama::Template;

use super::load;
use crate::apps::{AccessRequest, App, Caller, RuleMismatch, decide_with_trace};
use crate::db::time::Moment;
use crate::identity::{Email, LoginMethod};
use crate::web::copy::access::{UserEmails, answer, skipped, when, who};
use crate::web::copy::app_choices::ACCESS_TOKEN;
use crate::web::copy::app_refusals::{NOT_AN_ADDRESS, unknown_user};
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::form::Fields;
use crate::web::http::path::{BySlug, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/apps/slug/try.html")]
struct TryPage {
    page: Page,
    slug: String,
    name: String,
    form: Fields,
    outcome: Option<TryOutcome>,
}

struct TryOutcome {
    answer: Phrase,
    passes: bool,
    /// The rules that were checked, in order; the one that decided is the last.
    steps: Vec<RuleStep>,
}

struct RuleStep {
    number: usize,
    when: String,
    text: String,
    decides: bool,
}

pub async fn show(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let is_asked = ctx.has_query("path");
    let mut form = ctx.fields(&["as", "with", "confirmed", "method", "path", "from"]);
    for (name, value) in [("method", "GET"), ("path", "/")] {
        if form.value(name).is_empty() {
            form.set(name, value);
        }
    }
    let outcome = match is_asked {
        true => try_request(&ctx, &app, me.session.moment(), &mut form).await?,
        false => None,
    };
    let is_refused = !form.errors().is_empty();
    let shown = TryPage {
        page: ctx.page().at(&format!("/admin/apps/{slug}/try")),
        name: app.name,
        slug,
        form,
        outcome,
    };
    if is_refused { page::refused(&shown) } else { page::ok(&shown) }
}

/// `None` if a field was refused.
async fn try_request(
    ctx: &RequestContext,
    app: &App,
    now: Moment,
    form: &mut Fields,
) -> Result<Option<TryOutcome>, Error> {
    let client = match form.value("from").trim() {
        "" => None,
        text => match text.parse::<IpAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                form.refuse("from", NOT_AN_ADDRESS);
                None
            }
        },
    };
    let email = form.value("as").trim().to_owned();
    let user = match Email::parse(&email) {
        Ok(email) => ctx.accounts().apps.user(&email).await?,
        Err(_) => None,
    };
    if user.is_none() && !email.is_empty() {
        form.refuse("as", unknown_user(&email));
    }
    if !form.errors().is_empty() {
        return Ok(None);
    }
    let age = form.value("confirmed").parse().unwrap_or(0_i64).clamp(0, 86_400);
    let caller = user.as_ref().map(|(id, user)| match form.value("with") {
        ACCESS_TOKEN => Caller::with_token(*id, user),
        method => {
            let method = LoginMethod::parse(method).unwrap_or(LoginMethod::Password);
            Caller::now(*id, user, method, Moment(now.0 - age * 1_000_000))
        }
    });
    let method = form.value("method").trim().to_ascii_uppercase();
    let path = form.value("path").trim();
    let request = AccessRequest { method: &method, ..AccessRequest::navigation(path_alone(path), client) };
    let emails: UserEmails = ctx.accounts().apps.addresses_in(app).await?.into_iter().collect();
    Ok(Some(outcome(app, &request, caller.as_ref(), now, &emails)))
}

/// Rules do not see the query.
fn path_alone(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

fn outcome(
    app: &App,
    request: &AccessRequest<'_>,
    caller: Option<&Caller<'_>>,
    now: Moment,
    emails: &UserEmails,
) -> TryOutcome {
    let mut passed_over: Vec<(usize, RuleMismatch)> = Vec::new();
    let (decided, trace) =
        decide_with_trace(app, request, caller, now, |at, why| passed_over.push((at, why)));
    let mut steps: Vec<RuleStep> = passed_over
        .into_iter()
        .filter_map(|(at, why)| {
            let rule = app.rules.get(at)?;
            Some(RuleStep {
                number: at + 1,
                when: when(&rule.when),
                text: skipped(why).to_owned(),
                decides: false,
            })
        })
        .collect();
    if let Some((at, rule)) = trace.rule.and_then(|at| Some((at, app.rules.get(at)?))) {
        steps.push(RuleStep {
            number: at + 1,
            when: when(&rule.when),
            text: who(rule, emails),
            decides: true,
        });
    }
    TryOutcome { answer: answer(decided), passes: decided.passes(), steps }
}
