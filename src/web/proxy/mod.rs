//! The transport of proxied apps: passes a request on to the app's upstream and its response back to the client. The
//! front door has already decided that the request is let in.

mod await_head;
mod client_pace;
mod connect;
mod connection;
mod download;
mod error;
mod exchange;
mod hop_by_hop;
mod identity;
mod incoming;
mod limits;
mod our_cookies;
mod our_tokens;
mod outgoing_head;
mod pool;
mod preview;
mod request_headers;
mod resolver;
mod respond;
mod response_head;
mod response_headers;
mod sending;
mod shared;
mod socket;
mod target;
mod tls;
mod transport;
mod upload;
mod upstream_connections;
mod websocket;

pub use error::ProxyError;
pub use identity::Identity;
pub use our_tokens::{access_token, holds_token};
pub use preview::preview;
pub use request_headers::BodyLength;
pub use shared::TransportShared;
pub use transport::{ClientFacts, Transport};
pub use websocket::accept_of;
