//! Websockets through the proxy: what passes, what is refused, and what ends them.

mod browser;
pub mod client;
mod closing;
mod handshake;
mod idle;
mod leaving;
mod limits;
mod passing;
mod support;
