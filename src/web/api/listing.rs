//! Lists: one handler for all resources, with a keyset cursor, so that added and removed items do not shift the pages.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde_json::json;

use super::answers::ListPage;
use super::context::ApiContext;
use super::cursor;
use super::methods::Listable;
use super::operation::{DescribedArg, DescribedOperation};
use super::query::{self, canonical, pairs};
use super::scoped::Scoped;
use crate::config::ApiLimits;
use crate::web::copy::api::{FOREIGN_CURSOR, LIMIT};
use crate::web::http::error::Error;
use crate::web::http::problem::Problem;
use crate::web::http::shared::Shared;

/// The part of a list that a request asks for.
pub struct Listing<R: Listable> {
    filters: R::Filters,
    after: Option<R::Key>,
    limit: usize,
    /// Path and filters, to which its cursors belong.
    query: String,
}

pub async fn list<R: Listable>(
    _: Scoped<R::Read>,
    ctx: ApiContext,
    listing: Listing<R>,
) -> Result<ListPage<R::Out>, Error> {
    let Listing { filters, after, limit, query } = listing;
    // One more, to know whether there is a next page.
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut models = R::page(ctx.accounts(), &filters, after, wanted).await?;
    let has_more = models.len() > limit;
    models.truncate(limit);
    let last = models.last().filter(|_| has_more);
    let next = last.map(|last| cursor::sign(&ctx.shared.secret, &query, &R::key(&filters, last)));
    Ok(ListPage { items: models.iter().map(R::Out::from).collect(), next })
}

impl<R: Listable> FromRequest for Listing<R> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read<R: Listable>(request: &HttpRequest) -> Result<Listing<R>, Error> {
    let shared = Shared::of(request)?;
    let mut pairs = pairs(request)?;
    let mut taken = |name: &str| {
        let at = pairs.iter().position(|(known, _)| known == name)?;
        Some(pairs.swap_remove(at).1)
    };
    let (cursor, limit) = (taken("cursor"), limit(taken("limit"))?);
    let filters = canonical(&pairs);
    let query = format!("{}?{filters}", request.path());
    let after = match cursor {
        None => None,
        Some(cursor) => Some(
            cursor::verify(&shared.secret, &query, &cursor).ok_or_else(|| query::refused(FOREIGN_CURSOR))?,
        ),
    };
    Ok(Listing { filters: query::parse(&filters)?, after, limit, query })
}

/// The number of items on a page.
///
/// # Errors
/// 400.
pub fn limit(given: Option<String>) -> Result<usize, Problem> {
    let Some(text) = given else { return Ok(ApiLimits::PAGE) };
    let limit = text.parse().ok().filter(|limit| (1..=ApiLimits::LONGEST_PAGE).contains(limit));
    limit.ok_or_else(|| query::refused(LIMIT))
}

/// Describes the parameter `limit`.
pub fn describe_limit(operation: &mut DescribedOperation) {
    let schema = json!({
        "type": "integer",
        "minimum": 1,
        "maximum": ApiLimits::LONGEST_PAGE,
        "default": ApiLimits::PAGE,
    });
    operation.parameter("query", "limit", "The maximum number of items on the page.", schema);
}

impl<R: Listable> DescribedArg for Listing<R> {
    const IS_QUERY: bool = true;

    fn describe(operation: &mut DescribedOperation) {
        query::describe::<R::Filters>(operation);
        let text = json!({ "type": "string" });
        let what =
            "The value of `next` on the previous page. It is valid only with the same other parameters.";
        operation.parameter("query", "cursor", what, text);
        describe_limit(operation);
    }
}
