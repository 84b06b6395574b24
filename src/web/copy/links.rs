//! The pages behind mailed links.

use super::phrase::Phrase;
use crate::notices::LinkPurpose;

/// The browser has no token: the path was copied, or the page came back a day later.
pub const NO_TOKEN: Phrase = Phrase::new(
    "no-token",
    "This page needs the code from the link in our email. This browser doesn't have that code, or no longer has it: it is kept for 15 minutes. Go back to the email and open the link from there, in this browser.",
);

pub const DEAD_REGISTRATION: Phrase = Phrase::new(
    "dead-link",
    "This link has been used or has expired. If you've already confirmed your email, log in. Otherwise, register again.",
);

pub const DEAD_RESET: Phrase =
    Phrase::new("dead-link", "This link has been used or has expired. Request a new one.");

pub const DEAD_SETUP: Phrase = Phrase::new(
    "dead-link",
    "There is already an administrator, or this isn't the link from the server's log.",
);

const DEAD: Phrase =
    Phrase::new("dead-link", "This link has been used, has been replaced by a newer one, or has expired.");

const DEAD_REQUEST: Phrase = Phrase::new(
    "dead-link",
    "This link has been used, replaced or cancelled, it has expired, or the session that requested it has ended. Log in and request the change again.",
);

pub fn dead_link(purpose: LinkPurpose) -> Phrase {
    match purpose {
        LinkPurpose::ConfirmEmail => DEAD_REQUEST,
        LinkPurpose::Unlock | LinkPurpose::NotMe | LinkPurpose::UndoEmail | LinkPurpose::UndoFactor => DEAD,
    }
}

/// A page that is only a button.
pub struct LinkCopy {
    pub heading: &'static str,
    /// What the button does.
    pub text: String,
    pub button: &'static str,
    /// What to do instead of pressing it.
    pub otherwise: &'static str,
}

/// `email`: the address that the link is about.
pub fn link_copy(purpose: LinkPurpose, email: &str) -> LinkCopy {
    let (heading, text, button, otherwise) = match purpose {
        LinkPurpose::Unlock => (
            "Unlock your password",
            "We'll reset the count of wrong passwords, so that you can log in with yours again. In this browser, you can do that right away.".to_owned(),
            "Unlock my password",
            "Don't remember your password?",
        ),
        LinkPurpose::NotMe => (
            "Secure your account",
            "We'll block your current password and email you a link to set a new one. All your sessions end, a requested change of your email address is cancelled, and passkeys, authenticator apps and recovery codes that were added since then are removed.".to_owned(),
            "Secure my account",
            "If this was you, close this page. Nothing changes.",
        ),
        LinkPurpose::ConfirmEmail => (
            "Confirm your new email address",
            format!("From now on you'll log in with {email}, and we'll send emails there. We'll let your old address know."),
            "Confirm this address",
            "If you didn't request this, close this page. Nothing changes.",
        ),
        LinkPurpose::UndoEmail => (
            "Restore your email address",
            format!("{email} becomes the address of your account again. We'll block the current password and email a link to set a new one to {email}. All sessions end, and passkeys, authenticator apps and recovery codes that were added since the change was requested are removed."),
            "Restore my address",
            "If you made this change, close this page. Nothing changes.",
        ),
        LinkPurpose::UndoFactor => (
            "Secure your account",
            "We'll undo every change since that email to how you log in: passkeys, authenticator apps and recovery codes that were added are removed, and a passkey is required after your password if it was before. All your sessions end. We'll block your current password and email you a link to set a new one.".to_owned(),
            "Secure my account",
            "If this was you, close this page. Nothing changes.",
        ),
    };
    LinkCopy { heading, text, button, otherwise }
}
