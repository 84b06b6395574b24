//! Websockets through the proxy (RFC 6455): the handshake with the upstream, then bytes in both directions until one
//! side ends the connection or access ends.

mod close;
mod frames;
mod handshake;
mod one_way;
mod tunnel;

pub use handshake::{Handshake, accept_of, asks_for_websocket, open};
