//! Websockets through the proxy: what passes, what is refused, and what ends them.

mod closing;
mod handshake;
mod leaving;
mod limits;
mod passing;
mod support;
