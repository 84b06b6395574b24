//! All SQL of the accounts.

mod admin;
mod at_rest;
mod chain;
mod cleanup;
mod email_keys;
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
mod unfinished;
mod upkeep;

use crate::unicode::domains;

pub(super) use admin::*;
pub use admin::{Day, Numbers, UserRow};
pub(super) use at_rest::*;
pub(super) use chain::*;
pub(super) use cleanup::*;
pub(super) use email_keys::*;
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
pub(super) use unfinished::*;
pub(super) use upkeep::*;

/// `%q%` with what LIKE would interpret taken literally.
fn containing(q: &str) -> String {
    format!("%{}%", literally(q))
}

/// Patterns for text that holds an address: what was typed, and the same with its domain in the other spelling.
fn containing_address(q: &str) -> Vec<String> {
    let (local, domain) = q.rfind('@').map_or(("", q), |at| q.split_at(at + 1));
    let respelt = [Some(domains::unicode(domain)), domains::ascii(domain)];
    let mut patterns = vec![containing(q)];
    patterns.extend(respelt.into_iter().flatten().map(|domain| containing(&format!("{local}{domain}"))));
    patterns.dedup();
    patterns
}

/// A LIKE pattern that means just these characters.
fn literally(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
