//! The methods of a resource: one trait for each. `listing.rs` and `changes.rs` have the handlers, which are the same for
//! all resources.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use super::answers::ItemAnswer;
use super::context::ApiContext;
use super::path_names::PathNames;
use super::precondition::Precondition;
use super::resource::Resource;
use super::scoped::{ScopeType, Scoped};
use crate::accounts::Accounts;
use crate::web::http::error::Error;

/// GET of the list, in a stable order.
pub trait Listable: Resource {
    /// The parameters of its list, besides `cursor` and `limit`.
    type Filters: DeserializeOwned + IntoParams + 'static;
    /// The position of an item in the order. Not its offset, which changes when items are added or removed.
    type Key: Serialize + DeserializeOwned + 'static;

    /// The first `limit` items after `after`.
    fn page(
        accounts: &Accounts,
        filters: &Self::Filters,
        after: Option<Self::Key>,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Self::Model>, Error>>;

    fn key(filters: &Self::Filters, model: &Self::Model) -> Self::Key;
}

/// GET of an item.
pub trait Retrievable: Resource {
    type Path: PathNames;

    fn find(
        accounts: &Accounts,
        path: &Self::Path,
    ) -> impl Future<Output = Result<Option<Self::Model>, Error>>;
}

/// POST to the list: adds an item.
pub trait Creatable: Resource {
    type In: DeserializeOwned + ToSchema + 'static;
    type Write: ScopeType;

    fn add(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        input: Self::In,
    ) -> impl Future<Output = Result<ItemAnswer<Self>, Error>>;
}

/// PATCH: changes some fields.
pub trait Patchable: Retrievable {
    type Patch: DeserializeOwned + ToSchema + 'static;
    type Write: ScopeType;

    fn patch(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        path: Self::Path,
        when: Precondition,
        patch: Self::Patch,
    ) -> impl Future<Output = Result<ItemAnswer<Self>, Error>>;
}

/// PUT: replaces the item, or adds it if it does not exist and the resource allows that.
pub trait Replaceable: Retrievable {
    type In: DeserializeOwned + ToSchema + 'static;
    type Write: ScopeType;

    fn put(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        path: Self::Path,
        when: Precondition,
        input: Self::In,
    ) -> impl Future<Output = Result<ItemAnswer<Self>, Error>>;
}

/// DELETE: removes the item.
pub trait Deletable: Retrievable {
    type Write: ScopeType;

    fn remove(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        path: Self::Path,
        when: Precondition,
    ) -> impl Future<Output = Result<(), Error>>;
}
