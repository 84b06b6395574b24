//! What we write to people: one struct per letter, rendered as text and as HTML.
//!
//! No letter greets by name or carries another text that was typed, but for addresses: most letters can be caused by a
//! stranger, or by a thief with a session, and then that text would be theirs ("Hello Locked! Unlock at https://…").

use askama::Template;

use crate::db::Fault;

/// A letter, ready to be rendered in both forms.
pub trait OutgoingMail {
    fn subject(&self) -> String;
    fn text(&self) -> Result<String, Fault>;
    fn html(&self) -> Result<String, Fault>;
}

/// Declares a letter and its two templates over the same fields.
macro_rules! letter {
    ($(#[$doc:meta])* $name:ident, $text:literal, $html:literal, { $($field:ident),* }, |$this:ident| $subject:expr) => {
        $(#[$doc])*
        pub struct $name { $(pub $field: String),* }

        const _: () = {
            #[derive(Template)]
            #[template(path = $text, escape = "none")]
            struct Text<'a> { $($field: &'a str),* }

            #[derive(Template)]
            #[template(path = $html)]
            struct Html<'a> { $($field: &'a str),* }

            impl OutgoingMail for $name {
                fn subject(&self) -> String {
                    let $this = self;
                    $subject
                }
                fn text(&self) -> Result<String, Fault> {
                    Text { $($field: &self.$field),* }.render().map_err(Fault::bug)
                }
                fn html(&self) -> Result<String, Fault> {
                    Html { $($field: &self.$field),* }.render().map_err(Fault::bug)
                }
            }
        };
    };
}

letter! {
    /// To a user who registered: prove that the address is yours.
    VerifyEmail, "mail/verify_email.txt", "mail/verify_email.html", { link, valid_for },
    |_letter| "Confirm your e-mail address".into()
}

letter! {
    /// To the owner of an address somebody registers once more.
    AlreadyRegistered, "mail/already_registered.txt", "mail/already_registered.html", { login_link, reset_link },
    |_letter| "You already have an account".into()
}

letter! {
    /// What happened to somebody's account, and what to do if it was not them.
    NoticeMail, "mail/notice.txt", "mail/notice.html", { subject, what, advice, button, link, why },
    |letter| letter.subject.clone()
}

letter! {
    /// With the link that sets a new password.
    ResetPassword, "mail/reset_password.txt", "mail/reset_password.html", { link, valid_for },
    |_letter| "Set a new password".into()
}

letter! {
    /// To a new address: prove that it is yours, and the account goes by it.
    ConfirmEmail, "mail/confirm_email.txt", "mail/confirm_email.html", { link, valid_for },
    |_letter| "Confirm your new e-mail address".into()
}

letter! {
    /// From an administrator to somebody without an account.
    Invitation, "mail/invitation.txt", "mail/invitation.html", { link, valid_for },
    |_letter| "You are invited to Latchkey".into()
}
