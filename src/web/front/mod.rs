//! The front door: answers requests to the origin of an app. The server asks it before the portal (`http/server`).
//!
//! The steps are: find the app (`host.rs`, the snapshot), find the session of the app key (`app_key.rs`) or the access
//! token, apply the rules ([`crate::apps::decide`]) and open a stream (`access.rs`), then answer (`answers.rs`) or pass
//! the request on to the app (`web/proxy`). On every origin of an app, the paths below `/.latchkey/` are Latchkey's.

mod access;
mod access_attempt;
mod answers;
mod app_key;
mod app_request;
mod decisions;
mod door;
mod echo;
mod echo_behind_guard;
mod echo_stream;
mod handoff;
mod host;
mod leave;
mod log_line;
mod page;
mod question;
mod reserved;
mod user_identity;

pub use access_attempt::header_texts;
pub use answers::{can_set_up, code_of};
pub use app_key::AppCookieNames;
pub use app_key::signed_code;
pub use app_request::{RESERVED, local_path};
pub use decisions::DecisionDoor;
pub use door::FrontDoor;
