//! Email: put into the outbox in the transaction of what it is about, delivered afterwards.

mod address;
mod auto_submitted;
mod content;
mod mailer;
mod outbox;
mod probe;
mod queries;
mod smtp;
mod subject;

pub use address::address;
pub use content::{MailBody, MailContent};
pub use mailer::{DeliveryCounts, Mailer, Sink};
pub use outbox::StoredMail;
