//! Websockets through the proxy (RFC 6455): the handshake with the upstream, then bytes both ways until one side ends
//! the connection or the session's access ends.

mod close;
mod frames;
mod handshake;
mod one_way;
mod tunnel;

pub use handshake::{Handshake, accept_of, asks_for_websocket, open};
