//! Declares a resource of the API: its type in the domain, its type in answers, and the scope that is needed to read it.
//! `methods.rs` has its methods.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::scoped::ScopeType;

/// A kind of item that the API serves.
pub trait Resource: Sized + 'static {
    /// Its type in the domain.
    type Model: 'static;
    /// Its type in answers.
    type Out: Serialize + ToSchema + for<'m> From<&'m Self::Model> + 'static;
    /// The scope that is needed to read it.
    type Read: ScopeType;

    /// What its ETag covers. Default: everything in the answer. Override it if values change without a request.
    fn version(model: &Self::Model) -> Value {
        serde_json::to_value(Self::Out::from(model)).unwrap_or_default()
    }
}
