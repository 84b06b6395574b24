//! `/compare`: a session and a JSON Web Token, side by side. Each step is a form; after it, the page checks the
//! credentials that the browser has just sent on both sides.

mod chart;
mod cookies;
mod copy;
mod guarded;
mod measurements;
mod run_view;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::identity::Client;
use crate::lab::{ClientInfo, Credentials, Lab, RunLimit, Step, StepResult};
use crate::web::ctx::{Ctx, Id};
use crate::web::error::Error;
use crate::web::flash::{self, Flash};
use crate::web::form::{Form, Input, Text};
use crate::web::guard::Visitor;
use crate::web::page::{self, Page};
use crate::web::pages::Button;

use cookies::ReceivedCookies;
use measurements::Measurements;
use run_view::RunView;

pub use guarded::{jwt, session};
pub use measurements::{cost, stopwatch};

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    page: Page,
    run: Option<RunView>,
    notice: RunNotice,
    measurements: Measurements,
}

/// Why no run could be started; empty if nothing is in the way.
#[derive(Default)]
struct RunNotice {
    text: &'static str,
    code: &'static str,
}

impl From<RunLimit> for RunNotice {
    fn from(limit: RunLimit) -> Self {
        Self { text: copy::run_limit(limit), code: limit.code() }
    }
}

/// The only field of a step, for steps with a choice.
#[derive(serde::Deserialize)]
pub struct StepForm {
    #[serde(default)]
    value: Text,
}

impl Input for StepForm {}

/// The lab, if `LATCHKEY__COMPARE` is on. If it is off, these routes do not exist.
fn lab_of(ctx: &Ctx) -> Result<&Lab, Error> {
    ctx.shared.lab.as_ref().ok_or(Error::NotFound)
}

pub async fn index(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&page_of(&ctx, RunNotice::default()).await?)
}

/// The page with this browser's run, if there is one.
async fn page_of(ctx: &Ctx, notice: RunNotice) -> Result<ComparePage, Error> {
    let lab = lab_of(ctx)?;
    let received = ReceivedCookies::of(ctx);
    let run = match received.run(ctx).await? {
        Some(run) => {
            let snapshot = lab.snapshot(&run, &received.credentials).await?;
            Some(RunView::new(&run, &ctx.shared.cookie.lab, &received.credentials, snapshot))
        }
        None => None,
    };
    Ok(ComparePage { page: ctx.page(), run, notice, measurements: Measurements::of(lab) })
}

pub async fn begin(_: Visitor, ctx: Ctx, _: Form<Button>) -> Result<HttpResponse, Error> {
    let client = ctx.client();
    let (network, client) = (client.network(), info(client));
    let previous = ReceivedCookies::of(&ctx).run(&ctx).await?.map(|run| run.id);
    match lab_of(&ctx)?.begin(network, client, previous).await? {
        Ok(run) => {
            let mut response = flash::see_other("/compare#now");
            let credentials = Credentials { browser: run.credentials, copy: None };
            cookies::set(&mut response, &ctx, Some(run.key.reveal()), &credentials);
            Ok(response)
        }
        Err(limit) => {
            let mut page = page_of(&ctx, limit.into()).await?;
            page.page = page.page.at("/compare");
            page::show(StatusCode::TOO_MANY_REQUESTS, &page)
        }
    }
}

fn info(client: Client) -> ClientInfo {
    ClientInfo { address: client.address, user_agent: client.user_agent }
}

pub async fn step(
    _: Visitor,
    ctx: Ctx,
    name: Id<String>,
    form: Form<StepForm>,
) -> Result<HttpResponse, Error> {
    let step = Step::parse(&name.0, &form.input.value).ok_or(Error::NotFound)?;
    let received = ReceivedCookies::of(&ctx);
    let Some(run) = received.run(&ctx).await? else {
        return Ok(ctx.redirect("/compare", Flash::LabOver));
    };
    match lab_of(&ctx)?.take(run.id, step, received.credentials, info(ctx.client())).await? {
        StepResult::Done(credentials) => {
            let mut response = flash::see_other("/compare#now");
            cookies::set(&mut response, &ctx, None, &credentials);
            Ok(response)
        }
        StepResult::RunOver => Ok(ctx.redirect("/compare", Flash::LabOver)),
    }
}

pub async fn end(_: Visitor, ctx: Ctx, _: Form<Button>) -> Result<HttpResponse, Error> {
    if let Some(run) = ReceivedCookies::of(&ctx).run(&ctx).await? {
        lab_of(&ctx)?.end(&run).await?;
    }
    let mut response = ctx.redirect("/compare", Flash::LabEnded);
    cookies::remove(&mut response, &ctx);
    Ok(response)
}
