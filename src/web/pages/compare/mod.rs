//! `/compare`: a session and a JSON Web Token, asked the same questions. One form a step; after each, the page asks
//! both doors with what the browser has just sent.

mod cookies;
mod doors;
mod measure;
mod view;

use actix_web::HttpResponse;
use askama::Template;

use crate::identity::Client;
use crate::lab::{Full, Step, Taken, Visit};
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Form, FormInput, Text};
use crate::web::http::path::Path;
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;

use cookies::Hands;
use measure::Measured;
use view::RunView;

pub use doors::{session_door, token_door};
pub use measure::{cost, stopwatch};

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    page: Page,
    run: Option<RunView>,
    /// Why no run begins.
    full: &'static str,
    measured: Measured,
}

/// Which step a form takes.
#[derive(serde::Deserialize)]
pub struct StepPath {
    step: String,
}

/// The one field of a step, for those that have a choice.
#[derive(serde::Deserialize)]
pub struct StepForm {
    #[serde(default)]
    value: Text,
}

impl FormInput for StepForm {}

pub async fn index(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&page_of(&ctx, "").await?)
}

/// The page with the run of this browser, if there is one.
async fn page_of(ctx: &RequestContext, full: &'static str) -> Result<ComparePage, Error> {
    let hands = Hands::of(ctx);
    let run = match hands.run(ctx).await? {
        Some(run) => {
            let exhibit = ctx.shared.lab.exhibit(&run, &hands.held, hands.copy.as_ref()).await?;
            Some(RunView::new(&run, &ctx.shared.cookie.lab, &hands, exhibit))
        }
        None => None,
    };
    Ok(ComparePage { page: ctx.page(), run, full, measured: Measured::of(&ctx.shared.lab) })
}

pub async fn begin(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let client = ctx.client();
    let (network, visit) = (client.network(), visit(client));
    let before = Hands::of(&ctx).run(&ctx).await?.map(|run| run.id);
    match ctx.shared.lab.begin(network, visit, before).await? {
        Ok(begun) => {
            let mut response = flash::see_other("/compare#now");
            cookies::hand_over(&mut response, &ctx, Some(begun.key.reveal()), &begun.held, None);
            Ok(response)
        }
        Err(full) => {
            let full = match full {
                Full::Here => {
                    "There are many runs from your network already. Each is over after half an hour: try again then."
                }
                Full::Everywhere => {
                    "Many people are here at the moment. Each run is over after half an hour: try again in a few minutes."
                }
            };
            let mut page = page_of(&ctx, full).await?;
            page.page = page.page.at("/compare");
            page::show(actix_web::http::StatusCode::TOO_MANY_REQUESTS, &page)
        }
    }
}

fn visit(client: Client) -> Visit {
    Visit { address: client.address, user_agent: client.user_agent }
}

pub async fn step(
    _: Visitor,
    ctx: RequestContext,
    Path(StepPath { step: name }): Path<StepPath>,
    form: Form<StepForm>,
) -> Result<HttpResponse, Error> {
    let step = Step::parse(&name, form.input.value.as_str()).ok_or(Error::NotFound)?;
    let hands = Hands::of(&ctx);
    let Some(run) = hands.run(&ctx).await? else {
        return Ok(ctx.redirect("/compare", Flash::LabOver));
    };
    match ctx.shared.lab.take(run.id, step, hands.held, hands.copy, visit(ctx.client())).await? {
        Taken::Done { held, copy } => {
            let mut response = flash::see_other("/compare#now");
            cookies::hand_over(&mut response, &ctx, None, &held, copy.as_ref());
            Ok(response)
        }
        Taken::Over => Ok(ctx.redirect("/compare", Flash::LabOver)),
    }
}

pub async fn end(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    if let Some(run) = Hands::of(&ctx).run(&ctx).await? {
        ctx.shared.lab.end(&run).await?;
    }
    let mut response = ctx.redirect("/compare", Flash::LabEnded);
    cookies::take_back(&mut response, &ctx);
    Ok(response)
}
