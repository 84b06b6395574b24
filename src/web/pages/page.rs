//! What every page needs, and turning a template into an answer.

use std::borrow::Cow;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use smol_str::SmolStr;

use crate::db::Fault;
use crate::identity::Role;
use crate::throttle::RetryAfter;
use crate::web::http::error::Error;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;
use crate::web::http::{assets, csrf, flash};

pub struct Page {
    pub csrf: String,
    pub flash: Option<FlashMessage>,
    pub person: Option<Person>,
    pub path: String,
    pub css: &'static str,
    pub icon: &'static str,
    /// Set on the few pages that need the script.
    pub script: Option<&'static str>,
    pub dev: bool,
}

pub struct FlashMessage {
    pub code: &'static str,
    pub kind: &'static str,
    pub text: Cow<'static, str>,
}

pub struct Person {
    pub name: SmolStr,
    pub is_admin: bool,
}

impl Page {
    pub fn of(request: &HttpRequest, shared: &Shared) -> Self {
        let person = RequestState::of(request)
            .session()
            .map(|live| Person { name: live.owner.name().into(), is_admin: live.owner.role >= Role::Admin });
        Self {
            csrf: csrf::token(request, shared),
            flash: flash::take(request, shared).map(|flash| FlashMessage {
                code: flash.code(),
                kind: flash.kind(),
                text: flash.text().into(),
            }),
            person,
            path: request.path().to_owned(),
            css: assets::css(),
            icon: assets::icon(),
            script: None,
            dev: shared.local,
        }
    }

    /// The frame of an error page after a panic, when the request and its visitor are lost.
    pub fn bare(path: &str, shared: &Shared) -> Self {
        Self {
            csrf: String::new(),
            flash: None,
            person: None,
            path: path.to_owned(),
            css: assets::css(),
            icon: assets::icon(),
            script: None,
            dev: shared.local,
        }
    }

    /// The path of the page, if the form was sent to another path.
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

/// 200 with the page.
pub fn ok(template: &impl Template) -> Result<HttpResponse, Error> {
    show(StatusCode::OK, template)
}

/// 422 with the page and its errors (RFC 9110 §15.5.21).
pub fn refused(template: &impl Template) -> Result<HttpResponse, Error> {
    show(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// 429 with the page and the time to wait (RFC 6585 §4).
pub fn too_many(wait: RetryAfter, template: &impl Template) -> Result<HttpResponse, Error> {
    let mut response = show(StatusCode::TOO_MANY_REQUESTS, template)?;
    response.headers_mut().insert(header::RETRY_AFTER, wait.0.into());
    Ok(response)
}

pub fn show(status: StatusCode, template: &impl Template) -> Result<HttpResponse, Error> {
    let body = template.render().map_err(Fault::bug)?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(body))
}
