//! What an email says: rendered, and as the outbox stores it.

use serde::{Deserialize, Serialize};

/// A rendered email.
#[derive(Default)]
pub struct MailContent {
    pub subject: String,
    pub body: MailBody,
}

/// Both parts of an email.
#[derive(Default, Serialize, Deserialize)]
pub struct MailBody {
    pub text: String,
    pub html: String,
}
