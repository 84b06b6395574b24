//! What we write to people: one struct per letter, rendered as text and as HTML.

use askama::Template;

use crate::db::Fault;

/// A letter, ready to be rendered in both forms.
pub trait Letter {
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

            impl Letter for $name {
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
    /// To somebody who registered: prove the address is yours. Without the name, which anybody may have typed.
    VerifyEmail, "mail/verify_email.txt", "mail/verify_email.html", { link, valid_for },
    |_letter| "Confirm your e-mail address".into()
}

letter! {
    /// To the owner of an address somebody registers once more.
    AlreadyRegistered, "mail/already_registered.txt", "mail/already_registered.html", { name, login_link, reset_link },
    |_letter| "You already have an account".into()
}

letter! {
    /// What happened to somebody's account, and what to do if it was not them.
    Notice, "mail/notice.txt", "mail/notice.html", { subject, name, what, advice, button, link, why },
    |letter| letter.subject.clone()
}

letter! {
    /// With the link that sets a new password.
    ResetPassword, "mail/reset_password.txt", "mail/reset_password.html", { name, link, valid_for },
    |_letter| "Set a new password".into()
}

letter! {
    /// To a new address: prove that it is yours, and the account goes by it. Without the name, as above.
    ConfirmEmail, "mail/confirm_email.txt", "mail/confirm_email.html", { link, valid_for },
    |_letter| "Confirm your new e-mail address".into()
}

letter! {
    /// From an administrator to somebody without an account.
    Invitation, "mail/invitation.txt", "mail/invitation.html", { invited_by, link, valid_for },
    |letter| format!("{} invites you to Latchkey", letter.invited_by)
}
