//! A noun of the API, declared: what it is in the domain, what is written about it, and which scope reads it.
//! `methods.rs` has what can be done with it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::scoped::ScopeType;

/// A noun.
pub trait Resource: Sized + 'static {
    /// It in the domain.
    type Model: 'static;
    /// It in answers.
    type Out: Serialize + ToSchema + for<'m> From<&'m Self::Model> + 'static;
    /// The scope that reads it.
    type Read: ScopeType;

    /// What its ETag covers; all that is written, unless values change by themselves.
    fn version(model: &Self::Model) -> Value {
        serde_json::to_value(Self::Out::from(model)).unwrap_or_default()
    }
}
