//! Apps behind the front door: the handoff, who gets in, and what the app receives.

mod answers;
mod handoff;
mod identity;
mod leave;
mod outage;
pub mod support;
pub mod tokens;
mod unreadable;
