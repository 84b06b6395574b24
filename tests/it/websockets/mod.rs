//! Websockets through the proxy: which data passes, which handshakes are refused, and how they end.

mod browser;
pub mod client;
mod closing;
mod handshake;
mod idle;
mod leaving;
mod limits;
mod passing;
mod support;
