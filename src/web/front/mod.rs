//! The front door: requests to the origin of an app. The server asks it before the portal (`http/server`), by Host.
//!
//! A request is judged in this order: which app (`host.rs`, the snapshot), whose key (`app_key.rs`), what the rules say
//! ([`crate::apps::decide`]), then either the answer of ours (`answers.rs`) or the app's (`web/proxy`). The paths below
//! `/.latchkey/` are ours on every such origin.

mod answers;
mod app_key;
mod door;
mod echo;
mod handoff;
mod host;
mod leave;
mod page;
mod visit;

pub use answers::{can_set_up, code_of};
pub use app_key::AppCookieNames;
pub use door::{FrontDoor, header_text};
pub use visit::{RESERVED, local_path};
