//! `/compare/live`: a live connection behind the session and one behind the token. The page opens both with a script;
//! without it, each opens in a tab of its own, and the page shows what this server recorded of them.

use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use askama::Template;
use futures_util::Stream;
use futures_util::stream::unfold;
use time::OffsetDateTime;

use super::cookies::ReceivedCookies;
use super::copy::live as copy;
use super::guarded::{CheckView, bearer_challenge};
use super::live_view::{LineFormat, LiveView};
use crate::db::{Fault, Refusable as _};
use crate::lab::{LineSource, OpenedStream, STREAM_LIFE, StreamLimit, StreamRefusal, StreamSide, Verdict};
use crate::web::http::assets;
use crate::web::http::error::Error;
use crate::web::http::request_state::RequestState;
use crate::web::http::server::ClientConnection;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;

/// Short enough that a stop is noticed at once.
const LINE_EVERY: Duration = Duration::from_millis(500);

/// How long a client may read nothing: a connection sends a few hundred bytes in this time.
const UNREAD_FOR: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "compare/live.html")]
struct LivePage {
    page: Page,
    run: Option<LiveView>,
}

/// A connection as a page, for a browser tab without script. It is sent up to [`LINES_HERE`], then line by line.
#[derive(Template)]
#[template(path = "compare/live/session.html")]
struct SessionLinesPage {
    page: Page,
}

#[derive(Template)]
#[template(path = "compare/live/jwt.html")]
struct JwtLinesPage {
    page: Page,
}

/// Where a page continues with lines.
const LINES_HERE: &str = "<!-- lines -->";

pub async fn index(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let received = ReceivedCookies::of(&ctx);
    let run = match received.run(&ctx).await? {
        Some(run) => Some(LiveView::of(ctx.lab()?, &run, &received.credentials.browser).await?),
        None => None,
    };
    let mut page = ctx.page();
    if run.is_some() {
        page.script = Some(assets::live());
        RequestState::of(&ctx.request).needs_script.set(true);
    }
    page::ok(&LivePage { page, run })
}

pub async fn session(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    lines(&ctx, StreamSide::Session).await
}

pub async fn jwt(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    lines(&ctx, StreamSide::Token).await
}

async fn lines(ctx: &RequestContext, side: StreamSide) -> Result<HttpResponse, Error> {
    let received = ReceivedCookies::of(ctx);
    let Some(run) = received.run(ctx).await? else { return refused(ctx, side, None, false) };
    let (lab, browser) = (ctx.lab()?, &received.credentials.browser);
    let opened = match side {
        StreamSide::Session => lab.open_session_stream(&run, browser.session.as_deref()).await,
        StreamSide::Token => lab.open_token_stream(&run, browser.access.as_deref()).await,
    };
    match opened.split()? {
        Ok(opened) => stream(ctx, side, opened),
        Err(StreamRefusal::Credential(verdict)) => {
            refused(ctx, side, Some(&verdict), browser.access.is_some())
        }
        Err(StreamRefusal::Limit(limit)) => Ok(too_many(limit)),
        Err(StreamRefusal::NoLease) => Err(Fault::Unavailable(
            "this instance hears of no revocation, so it opens no live connection".into(),
        ))?,
    }
}

fn refused(
    ctx: &RequestContext,
    side: StreamSide,
    verdict: Option<&Verdict>,
    had_token: bool,
) -> Result<HttpResponse, Error> {
    let check = CheckView::new(verdict);
    match side {
        StreamSide::Session => check.page_behind_session(ctx),
        StreamSide::Token => check.page_behind_token(ctx, bearer_challenge(had_token)),
    }
}

/// Only a script or a visitor who opens many tabs gets here, so the answer is plain text.
fn too_many(limit: StreamLimit) -> HttpResponse {
    let status = match limit {
        StreamLimit::Run => StatusCode::TOO_MANY_REQUESTS,
        StreamLimit::Instance => StatusCode::SERVICE_UNAVAILABLE,
    };
    HttpResponse::build(status)
        .insert_header((header::RETRY_AFTER, STREAM_LIFE.as_secs()))
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(copy::limit(limit))
}

fn stream(ctx: &RequestContext, side: StreamSide, opened: OpenedStream) -> Result<HttpResponse, Error> {
    let wants_page = ctx
        .request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let format = if wants_page { page_format(ctx, side)? } else { LineFormat::events() };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, format.media_type()))
        // A proxy in front must not buffer lines.
        .insert_header((
            header::HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ));
    // Otherwise the connection would stay open for a minute and send nothing.
    if ctx.request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let connection = ClientConnection::serve_stream(&ctx.request, UNREAD_FOR)
        .ok_or_else(|| Fault::Bug("a live connection without a client's connection".into()))?;
    if let Some(gate) = opened.gate {
        connection.guard(Rc::new(gate));
    }
    Ok(response.streaming(body(opened.lines, format)))
}

fn page_format(ctx: &RequestContext, side: StreamSide) -> Result<LineFormat, Error> {
    let page = ctx.page();
    let whole = match side {
        StreamSide::Session => SessionLinesPage { page }.render(),
        StreamSide::Token => JwtLinesPage { page }.render(),
    };
    let whole = whole.map_err(Fault::bug)?;
    let (before, after) =
        whole.split_once(LINES_HERE).ok_or_else(|| Fault::Bug("a page without a place for lines".into()))?;
    Ok(LineFormat::page(before, after))
}

/// The next part of a connection's body.
enum Next {
    Beginning,
    Line,
    Nothing,
}

fn body(lines: LineSource, format: LineFormat) -> impl Stream<Item = Result<Bytes, Error>> {
    unfold((Next::Beginning, lines, format), async |(next, lines, format)| {
        let (bytes, next) = match next {
            Next::Beginning => (format.beginning(), Next::Line),
            Next::Line => {
                // The first line is sent with the beginning.
                if lines.has_sent_one() {
                    sleep(LINE_EVERY).await;
                }
                match lines.next_line() {
                    Ok(number) => (format.line(number, OffsetDateTime::now_utc()), Next::Line),
                    Err(cause) => (format.end(cause), Next::Nothing),
                }
            }
            Next::Nothing => return None,
        };
        Some((Ok(bytes), (next, lines, format)))
    })
}
