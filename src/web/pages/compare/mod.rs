//! `/compare`: a session and a JSON Web Token, side by side. Each step is a form; after it, the page checks the
//! credentials that the browser has just sent on both sides.

mod chart;
mod cookies;
mod copy;
mod guarded;
pub mod live;
mod live_view;
mod measure;
mod measurements;
mod page;
mod run_view;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::db::Refusable as _;
use crate::identity::Client;
use crate::lab::{ClientInfo, Credentials, Step, StepResult};
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Form, FormInput, Text};
use crate::web::http::path::Path;
use crate::web::http::return_to;
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page as answer;
use crate::web::session::guard::Visitor;

use cookies::ReceivedCookies;
use page::{ComparePage, RunNotice};

pub use guarded::{jwt, session};
pub use measure::{cost, stopwatch};

/// Which step a form takes.
#[derive(serde::Deserialize)]
pub struct StepPath {
    step: String,
}

/// The only field of a step, for steps with a choice.
#[derive(serde::Deserialize)]
pub struct LabStepForm {
    #[serde(default)]
    value: Text,
}

impl FormInput for LabStepForm {}

pub async fn index(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    answer::ok(&ComparePage::new(&ctx, RunNotice::default()).await?)
}

pub async fn begin(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let client = ctx.client();
    let (network, client) = (client.network(), info(client));
    let previous = ReceivedCookies::of(&ctx).run(&ctx).await?.map(|run| run.id);
    match ctx.lab()?.begin(network, client, previous).await.split()? {
        Ok(run) => {
            let mut response = flash::see_other("/compare#now");
            let credentials = Credentials { browser: run.credentials, copy: None };
            cookies::set(&mut response, &ctx, Some(run.key.reveal()), &credentials);
            Ok(response)
        }
        Err(limit) => {
            let mut page = ComparePage::new(&ctx, limit.into()).await?;
            page.page = page.page.at("/compare");
            answer::show(StatusCode::TOO_MANY_REQUESTS, &page)
        }
    }
}

fn info(client: Client) -> ClientInfo {
    ClientInfo { address: client.address, user_agent: client.user_agent }
}

pub async fn step(
    _: Visitor,
    ctx: RequestContext,
    Path(StepPath { step }): Path<StepPath>,
    form: Form<LabStepForm>,
) -> Result<HttpResponse, Error> {
    let step = Step::parse(&step, form.input.value.as_str()).ok_or(Error::NotFound)?;
    let received = ReceivedCookies::of(&ctx);
    let Some(run) = received.run(&ctx).await? else {
        return Ok(ctx.redirect("/compare", Flash::LabOver));
    };
    match ctx.lab()?.take(run.id, step, received.credentials, info(ctx.client())).await? {
        StepResult::Done(credentials) => {
            let mut response = flash::see_other(shown_at(&ctx));
            cookies::set(&mut response, &ctx, None, &credentials);
            Ok(response)
        }
        StepResult::RunOver => Ok(ctx.redirect("/compare", Flash::LabOver)),
    }
}

pub async fn end(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    if let Some(run) = ReceivedCookies::of(&ctx).run(&ctx).await? {
        ctx.lab()?.end(&run).await?;
    }
    let mut response = ctx.redirect("/compare", Flash::LabEnded);
    cookies::remove(&mut response, &ctx);
    Ok(response)
}

/// The page that shows the result of a step: `/compare/live` if the step was taken there.
fn shown_at(ctx: &RequestContext) -> &'static str {
    let from = return_to::referring_page(ctx.request.headers(), &ctx.shared);
    match from.as_deref() {
        Some("/compare/live") => "/compare/live",
        _ => "/compare#now",
    }
}
