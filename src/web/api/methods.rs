//! What can be done with a noun: one trait for each method. `listing.rs` and `changes.rs` have the handlers, which are the
//! same for all nouns.

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

/// A noun of which there are many, in a stable order.
pub trait Paged: Resource {
    /// The parameters of its list, besides `cursor` and `limit`.
    type Filters: DeserializeOwned + IntoParams + 'static;
    /// The position of an item in the order. Not the offset: items come and go.
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

/// A noun with an address for each item.
pub trait Found: Resource {
    type Path: PathNames;

    fn find(
        accounts: &Accounts,
        path: &Self::Path,
    ) -> impl Future<Output = Result<Option<Self::Model>, Error>>;
}

/// POST to the list: adds an item.
pub trait Added: Resource {
    type In: DeserializeOwned + ToSchema + 'static;
    type Write: ScopeType;

    fn add(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        input: Self::In,
    ) -> impl Future<Output = Result<ItemAnswer<Self>, Error>>;
}

/// PATCH: changes some fields.
pub trait Patched: Found {
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

/// PUT: makes the item so, and adds it if there is none and the noun allows it.
pub trait Replaced: Found {
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
pub trait Removed: Found {
    type Write: ScopeType;

    fn remove(
        me: &Scoped<Self::Write>,
        ctx: &ApiContext,
        path: Self::Path,
        when: Precondition,
    ) -> impl Future<Output = Result<(), Error>>;
}
