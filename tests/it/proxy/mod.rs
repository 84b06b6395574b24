//! The transport of proxied apps, without log-in: every request for the app's host is passed on to an upstream that may
//! send false lengths, hang, be slow or die.

mod bodies;
mod demo;
pub mod harness;
mod headers;
mod leaving;
mod limits;
mod pool;
mod responses;
mod smuggling;
pub mod tls;
