//! Latchkey's own paths on the origin of an app.

use actix_http::Payload;
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};

use super::app_request::AppRequest;
use super::page::{self, PageContent, PageLink};
use super::{handoff, leave};
use crate::db::Fault;
use crate::web::copy::front::{FrontCode, OPEN_APP};

/// Answers them, except those of the doctor's questions, which other clients cannot find.
///
/// * `name`: the path behind `/.latchkey/`.
pub async fn answer(app_request: &AppRequest<'_>, name: &str, body: Payload) -> Result<HttpResponse, Fault> {
    if !app_request.app.enabled {
        return Ok(page::page(FrontCode::Unknown, None, PageContent::default(), app_request.id));
    }
    let allowed = match name {
        "in" => "GET, HEAD",
        "enter" => "GET",
        "out" => "GET, POST",
        _ => {
            let links = vec![PageLink::to(OPEN_APP, "/")];
            return Ok(app_request.page(FrontCode::NotFound, PageContent { links, ..PageContent::default() }));
        }
    };
    if !allowed.split(", ").any(|method| method == app_request.method.as_str()) {
        let mut response = app_request.page(FrontCode::WrongMethod, PageContent::default());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return Ok(response);
    }
    match name {
        "in" => handoff::begin(app_request).await,
        "enter" => handoff::enter(app_request).await,
        _ => leave::leave(app_request, body).await,
    }
}
