//! Emails to users, as data, and the links in them.

mod link;
pub(crate) mod links;
mod notice;
pub(crate) mod queries;
mod reset_links;
mod service;

pub(crate) use link::LinkDetails;
pub use link::{LinkPurpose, MailedLink};
pub use notice::{AddedFactor, Mail, MailWriter, Notice, ProgramChange, RemovedFactor, write_nothing};
pub use queries::PendingEmail;
pub use service::Notices;
