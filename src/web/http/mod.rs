//! HTTP itself: the server below actix-web, the request layer, bodies, cookies, form tokens, and errors as responses.

pub(super) mod assets;
pub(super) mod body;
pub(super) mod client_address;
pub(super) mod cookies;
pub(super) mod csrf;
pub(super) mod draft;
pub(super) mod error;
pub(super) mod fields;
pub(super) mod flash;
pub(super) mod form;
pub(super) mod headers;
pub(super) mod json;
pub(super) mod methods;
pub(super) mod origin_check;
pub(super) mod path;
pub(super) mod problem;
pub(super) mod refusal;
pub(super) mod request_counts;
pub(super) mod request_layer;
pub(super) mod request_state;
pub(super) mod return_to;
pub mod server;
pub(super) mod shared;
pub(super) mod traceparent;
pub(super) mod urlencoded;
