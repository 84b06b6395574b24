//! The two buttons of `/compare` that measure: the stopwatch and the cost.

use actix_web::HttpResponse;

use super::page::{ComparePage, RunNotice};
use crate::lab::MeasurementStatus;
use crate::throttle::RetryAfter;
use crate::web::http::error::Error;
use crate::web::http::flash;
use crate::web::http::form::Form;
use crate::web::pages::context::RequestContext;
use crate::web::pages::{NoFields, page};
use crate::web::session::guard::Visitor;

pub async fn stopwatch(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let status = ctx.lab()?.request_stopwatch().await?;
    answer(&ctx, status, "/compare#stopwatch").await
}

pub async fn cost(_: Visitor, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let status = ctx.lab()?.request_cost().await?;
    answer(&ctx, status, "/compare#cost").await
}

async fn answer(
    ctx: &RequestContext,
    status: MeasurementStatus,
    section: &str,
) -> Result<HttpResponse, Error> {
    match status {
        MeasurementStatus::Available => Ok(flash::see_other(section)),
        MeasurementStatus::Busy { retry_after } => {
            let mut page = ComparePage::new(ctx, RunNotice::default()).await?;
            page.page = page.page.at("/compare");
            page.measurements.busy = true;
            page::too_many(RetryAfter(retry_after), &page)
        }
    }
}
