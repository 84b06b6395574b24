//! What users are told about their own account by mail, and the links in these letters.

pub(crate) mod links;
mod notice;
pub(crate) mod queries;
mod reset_links;

pub(crate) use links::LinkDetails;
pub use links::LinkPurpose;
pub(crate) use notice::Notice;
pub use queries::PendingEmail;

use crate::config::{LinkLifetimes, Settings};
use crate::db::Db;
use crate::mail::Mailer;
use crate::secret::Secret;

/// Writes letters and links, in the transaction of the operation that they are about.
#[derive(Clone)]
pub struct Notices {
    pub(crate) db: Db,
    pub(crate) mailer: Mailer,
    tokens: LinkLifetimes,
    secret: Secret,
}

impl Notices {
    pub(crate) fn new(db: Db, mailer: Mailer, settings: &Settings) -> Self {
        Self { db, mailer, tokens: settings.tokens, secret: settings.secret.clone() }
    }
}
