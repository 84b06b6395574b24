//! The decision listener: nginx, Caddy, Traefik, HAProxy or Envoy carry the traffic of the apps, and ask here about
//! each request. A decision takes the same path as a proxied request; only its answer is sent to the proxy.
//!
//! A client that can reach this listener can claim any URL, so it has an address of its own.

mod asked_request;
mod decide;
mod door;
mod flavour;
mod granted;
mod listener;
mod listener_path;
mod refusal;

pub use door::DecisionDoor;
