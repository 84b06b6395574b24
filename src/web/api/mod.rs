//! The JSON API: what programs with a token can do.
//!
//! Each [`Resource`](resource::Resource) has one file, which declares its model, the type of its answers (`Out`), the types
//! of its bodies (`In`, one for each method), its filters and its scopes. Lists with a cursor, retrieval, preconditions,
//! validation and errors are implemented once, in the files below. The rows are in `web::routes`.
//!
//! A type that is not [`Serialize`](serde::Serialize) cannot be part of an answer. The types of secrets are not:
//!
//! ```compile_fail
//! fn answer<T: serde::Serialize>() {}
//! answer::<latchkey::tokens::TokenText>();
//! ```

mod admission;
mod answers;
mod api_time;
pub(super) mod apps;
pub(super) mod audit;
pub(super) mod changes;
mod context;
mod cursor;
pub(super) mod explain;
pub(super) mod groups;
mod input;
pub(super) mod invitations;
pub(super) mod listing;
pub(super) mod me;
pub(super) mod members;
mod methods;
pub mod openapi;
pub mod operation;
pub(super) mod own_sessions;
pub(super) mod own_tokens;
mod path_names;
mod precondition;
mod problems;
mod query;
mod refusals;
pub mod resource;
pub(super) mod rows;
pub(super) mod scoped;
pub(super) mod sessions;
pub(super) mod unknown_path;
pub(super) mod users;

pub use api_time::ApiTime;
pub use apps::{AppOut, AppRecord};
pub use groups::{GroupIn, GroupOut};
pub use invitations::InvitationOut;
pub use me::MeOut;
pub use own_sessions::OwnSessionOut;
pub use own_tokens::TokenOut;
pub(super) use problems::problem_document;
pub use sessions::SessionOut;
pub use users::UserOut;
