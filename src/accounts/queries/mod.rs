//! All SQL of the accounts.

mod admin;
mod at_rest;
mod chain;
mod cleanup;
mod factors;
mod lanes;
mod leaving;
mod links;
mod newcomers;
mod passkeys;
mod people;
mod throttles;
mod tokens;
mod trail;
mod upkeep;

pub(super) use admin::*;
pub use admin::{Day, Numbers, UserRow};
pub(super) use at_rest::*;
pub(super) use chain::*;
pub(super) use cleanup::*;
pub(super) use factors::*;
pub(super) use lanes::*;
pub(super) use leaving::*;
pub use links::PendingEmail;
pub(super) use links::*;
pub(super) use newcomers::*;
pub(super) use passkeys::*;
pub(super) use people::*;
pub(super) use throttles::*;
pub use tokens::InvitationRow;
pub(super) use tokens::*;
pub(super) use trail::*;
pub(super) use upkeep::*;

/// `%q%` with what LIKE would interpret taken literally.
fn containing(q: &str) -> String {
    format!("%{}%", literally(q))
}

/// A LIKE pattern that means just these characters.
fn literally(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
