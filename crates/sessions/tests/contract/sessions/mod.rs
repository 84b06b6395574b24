//! The contract of `latchkey_sessions`, against real Postgres. Time is aged in rows, never waited for.

mod app;
mod clocks;
mod in_flight;
mod keys;
mod outage;
mod owner;
mod registry;
pub mod room;
mod rotation;
mod saving;
mod state;
mod sweep;
mod updating;
mod web;
