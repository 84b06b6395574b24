//! The handlers of single items: one for each method, for all resources.

use std::marker::PhantomData;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};

use super::answers::{AddedItem, CONFLICT, ChangedItem, ItemAnswer, NoContent, StoredItem};
use super::context::ApiContext;
use super::input::Input;
use super::methods::{Creatable, Deletable, Patchable, Replaceable, Retrievable};
use super::operation::{DescribedAnswer, DescribedArg, DescribedOperation};
use super::path_names::PathNames;
use super::precondition::{Precondition, ReadCondition};
use super::scoped::Scoped;
use crate::web::http::error::Error;
use crate::web::http::path::Path;

pub async fn show<R: Retrievable>(
    _: Scoped<R::Read>,
    ctx: ApiContext,
    Path(path): Path<R::Path>,
    when: ReadCondition,
) -> Result<ItemAnswer<R>, Error> {
    let found = R::find(ctx.accounts(), &path).await?.ok_or(Error::NotFound)?;
    ItemAnswer::of(&found).unless_known(&when)
}

pub async fn add<R: Creatable>(
    me: Scoped<R::Write>,
    ctx: ApiContext,
    Input(input): Input<R::In>,
) -> Result<AddedItem<R>, Error> {
    R::add(&me, &ctx, input).await.map(AddedItem)
}

pub async fn patch<R: Patchable>(
    me: Scoped<R::Write>,
    ctx: ApiContext,
    Path(path): Path<R::Path>,
    when: Precondition,
    Input(patch): Input<R::Patch>,
) -> Result<ChangedItem<R>, Error> {
    R::patch(&me, &ctx, path, when, patch).await.map(|item| ChangedItem(item.readable_with(&me)))
}

/// PUT of an item that may be new.
pub async fn put<R: Replaceable>(
    me: Scoped<R::Write>,
    ctx: ApiContext,
    Path(path): Path<R::Path>,
    when: Precondition,
    Input(input): Input<R::In>,
) -> Result<StoredItem<R>, Error> {
    R::put(&me, &ctx, path, when, input).await.map(|item| StoredItem(item.readable_with(&me)))
}

/// PUT of an item that has to exist.
pub async fn replace<R: Replaceable>(
    me: Scoped<R::Write>,
    ctx: ApiContext,
    Path(path): Path<R::Path>,
    when: Precondition,
    Input(input): Input<R::In>,
) -> Result<ChangedItem<R>, Error> {
    R::put(&me, &ctx, path, when, input).await.map(|item| ChangedItem(item.readable_with(&me)))
}

pub async fn remove<R: Deletable>(
    me: Scoped<R::Write>,
    ctx: ApiContext,
    Path(path): Path<R::Path>,
    when: Precondition,
) -> Result<RemovedItem<R>, Error> {
    R::remove(&me, &ctx, path, when).await?;
    Ok(RemovedItem(PhantomData))
}

/// 204 after an item was removed.
pub struct RemovedItem<R>(PhantomData<R>);

impl<R> Responder for RemovedItem<R> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        NoContent.respond_to(request)
    }
}

impl<R: Deletable> DescribedAnswer for RemovedItem<R> {
    fn describe(operation: &mut DescribedOperation) {
        NoContent::describe(operation);
        operation.refuses(409, CONFLICT);
    }
}

impl<T: PathNames> DescribedArg for Path<T> {
    fn describe(operation: &mut DescribedOperation) {
        T::describe(operation);
        operation.refuses(404, "There is no such item.");
    }
}
