//! The page of `/compare`, with the run of the browser that asks for it.

use askama::Template;

use super::cookies::ReceivedCookies;
use super::copy;
use super::measurements::Measurements;
use super::run_view::RunView;
use crate::lab::RunLimit;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::Page;

#[derive(Template)]
#[template(path = "compare.html")]
pub struct ComparePage {
    pub page: Page,
    run: Option<RunView>,
    notice: RunNotice,
    pub measurements: Measurements,
}

/// Why no run could be started; empty if one can be.
#[derive(Default)]
pub struct RunNotice {
    text: &'static str,
    code: &'static str,
}

impl From<RunLimit> for RunNotice {
    fn from(limit: RunLimit) -> Self {
        Self { text: copy::run_limit(limit), code: limit.code() }
    }
}

impl ComparePage {
    pub async fn new(ctx: &RequestContext, notice: RunNotice) -> Result<Self, Error> {
        let lab = ctx.lab()?;
        let received = ReceivedCookies::of(ctx);
        let run = match received.run(ctx).await? {
            Some(run) => {
                let snapshot = lab.snapshot(&run, &received.credentials).await?;
                Some(RunView::new(&run, &ctx.shared.cookie.lab, &received.credentials, snapshot))
            }
            None => None,
        };
        Ok(Self { page: ctx.page(), run, notice, measurements: Measurements::of(lab) })
    }
}
