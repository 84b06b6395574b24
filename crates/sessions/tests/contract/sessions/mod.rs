//! The contract of the store, call by call.

mod app;
mod background;
mod clocks;
mod in_flight;
mod keys;
mod looked_up;
mod outage;
mod owner;
mod registry;
pub mod room;
mod rotation;
mod saving;
mod scoped_keys;
mod scoped_keys_end;
mod state;
mod sweep;
mod updating;
mod web;
