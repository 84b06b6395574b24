//! Tests of the JSON API: admission, each resource, bad input, and the OpenAPI document.

mod admission;
mod answers;
mod apps;
mod audit;
mod bad_input;
mod clients;
mod conflicts;
mod groups;
mod held_back;
mod invitations;
mod lists;
mod me;
mod openapi;
mod recipes;
mod reference;
mod round_trip;
mod sessions;
pub mod support;
mod users;
