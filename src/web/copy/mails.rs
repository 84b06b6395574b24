//! The sentences of every email; the frames are in `templates/mail`. No sentence greets by name: strangers, and thieves
//! with a session, cause most emails, and must not put words into them.

use askama::Template;
use time::OffsetDateTime;

use crate::config::{Origin, in_words};
use crate::db::Fault;
use crate::device;
use crate::identity::{Client, Email};
use crate::mail::{MailBody, MailContent};
use crate::notices::{AddedFactor, Mail, MailedLink, Notice, ProgramChange, RemovedFactor};
use crate::unicode::direction::isolated;
use crate::web::copy::audit::in_a_sentence;
use crate::web::copy::moments::moment;

/// Why a user gets a notice, where several have the same reason.
const PASSWORD_CHANGES: &str = "We send this email whenever your password changes.";
const WAYS_TO_LOG_IN_CHANGE: &str = "We send this email whenever the ways to log in to your account change.";

/// Writes an email.
///
/// # Errors
/// If a template cannot be rendered, which is a bug.
pub fn write(origin: &Origin, mail: &Mail<'_>) -> Result<MailContent, Fault> {
    match mail {
        Mail::VerifyEmail(link) => VerifyEmail::of(link).content(),
        Mail::AlreadyRegistered => {
            let (login_link, reset_link) = (origin.link("/login"), origin.link("/forgot-password"));
            AlreadyRegistered { login_link, reset_link }.content()
        }
        Mail::ResetPassword(link) => ResetPassword::of(link).content(),
        Mail::ConfirmEmail(link) => ConfirmEmail::of(link).content(),
        Mail::Invitation(link) => Invitation::of(link).content(),
        Mail::Notice { notice, at, client } => {
            notice_text(origin, notice, &circumstances(*at, client)).content()
        }
    }
}

/// Declares an email with its subject and its two templates over the same fields.
macro_rules! mail {
    ($name:ident, subject: $subject:literal, $text:literal, $html:literal, { $($field:ident),* }) => {
        struct $name { $($field: String),* }

        impl $name {
            fn content(&self) -> Result<MailContent, Fault> {
                #[derive(Template)]
                #[template(path = $text, escape = "none")]
                struct TextPart<'a> { $($field: &'a str),* }

                #[derive(Template)]
                #[template(path = $html)]
                struct HtmlPart<'a> { $($field: &'a str),* }

                let text = TextPart { $($field: &self.$field),* }.render().map_err(Fault::bug)?;
                let html = HtmlPart { $($field: &self.$field),* }.render().map_err(Fault::bug)?;
                Ok(MailContent { subject: $subject.to_owned(), body: MailBody { text, html } })
            }
        }
    };
}

/// Declares an email whose only content is a link.
macro_rules! link_mail {
    ($name:ident, subject: $subject:literal, $text:literal, $html:literal) => {
        mail!($name, subject: $subject, $text, $html, { link, valid_for });

        impl $name {
            fn of(link: &MailedLink) -> Self {
                Self { link: link.url.clone(), valid_for: in_words(link.valid_for) }
            }
        }
    };
}

link_mail!(VerifyEmail, subject: "Confirm your email address", "mail/verify_email.txt", "mail/verify_email.html");
link_mail!(ResetPassword, subject: "Set a new password", "mail/reset_password.txt", "mail/reset_password.html");
link_mail!(ConfirmEmail, subject: "Confirm your new email address", "mail/confirm_email.txt", "mail/confirm_email.html");
link_mail!(Invitation, subject: "You're invited to Latchkey", "mail/invitation.txt", "mail/invitation.html");
mail!(AlreadyRegistered, subject: "You already have an account", "mail/already_registered.txt", "mail/already_registered.html", { login_link, reset_link });

/// The parts of a notice, each a sentence or several.
struct NoticeText {
    subject: String,
    what: String,
    advice: String,
    button: &'static str,
    link: String,
    why: &'static str,
}

impl NoticeText {
    fn content(&self) -> Result<MailContent, Fault> {
        #[derive(Template)]
        #[template(path = "mail/notice.txt", escape = "none")]
        struct NoticeTextPart<'a> {
            notice: &'a NoticeText,
        }

        #[derive(Template)]
        #[template(path = "mail/notice.html")]
        struct NoticeHtmlPart<'a> {
            notice: &'a NoticeText,
        }

        let text = NoticeTextPart { notice: self }.render().map_err(Fault::bug)?;
        let html = NoticeHtmlPart { notice: self }.render().map_err(Fault::bug)?;
        Ok(MailContent { subject: self.subject.clone(), body: MailBody { text, html } })
    }
}

/// When and from where, as in "on 29 November 2026, 13:05 UTC, from Firefox on Linux at 192.0.2.1".
fn circumstances(at: OffsetDateTime, client: &Client) -> String {
    let address = if client.address.is_empty() { "an unknown IP address" } else { &client.address };
    let device = device::name(&client.user_agent);
    format!("on {}, from {} at {address}", moment(at), in_a_sentence(&device))
}

/// * `happened`: see [`circumstances`].
fn notice_text(origin: &Origin, notice: &Notice<'_>, happened: &str) -> NoticeText {
    match notice {
        Notice::PasswordChanged { not_me } => NoticeText {
            subject: "Your password was changed".into(),
            what: format!("Your Latchkey password was changed {happened}. All other sessions were ended."),
            advice: format!("If this was you, ignore this email. If not, secure your account: we'll end every session, undo what was added to your account since that session began, and send you a link to set a new password. The link works for {}.", in_words(not_me.valid_for)),
            button: "Secure my account",
            link: not_me.url.clone(),
            why: PASSWORD_CHANGES,
        },
        Notice::PasswordReset => NoticeText {
            subject: "Your password was changed".into(),
            what: format!("A new Latchkey password was set with a link that we emailed to you, {happened}. Every session was ended."),
            advice: "If this wasn't you, someone else can read your email. Secure your inbox first, then set a new password.".into(),
            button: "Set a new password",
            link: origin.link("/forgot-password"),
            why: PASSWORD_CHANGES,
        },
        Notice::EmailChanged { new, undo } => NoticeText {
            subject: "Your email address was changed".into(),
            what: format!("The email address of your Latchkey account was changed to {} {happened}. You now log in with the new address, and we send emails there.", isolated(new.as_str())),
            advice: format!("If this wasn't you, undo the change within {}. That restores this address, ends every session, removes ways to log in that were added since the change was requested, and sends you a link to set a new password.", in_words(undo.valid_for)),
            button: "Undo the change",
            link: undo.url.clone(),
            why: "This was the email address of your account until now.",
        },
        Notice::EmailChangeAsked { new, not_me } => NoticeText {
            subject: "A new email address was requested".into(),
            what: format!("A new email address, {new}, was requested for your Latchkey account {happened}. Nothing changes until someone opens the link that we sent to that address."),
            advice: format!("If this was you, ignore this email. If not, secure your account: we'll cancel the change, end every session and send you a link to set a new password. The link works for {}.", in_words(not_me.valid_for)),
            button: "Secure my account",
            link: not_me.url.clone(),
            why: "We send this email to the current address of an account when a new one is requested.",
        },
        Notice::AddressReserved { until } => NoticeText {
            subject: "Your old address was entered for another account".into(),
            what: format!("Someone entered this address for another Latchkey account {happened}. Another account used this address until recently, so we reserve it for that account until {}. Nothing was changed.", moment(*until)),
            advice: "If you changed your address yourself, ignore this email. If not, use the link in our email “Your email address was changed” to undo the change. After that date you can register with this address:".into(),
            button: "Register",
            link: origin.link("/register"),
            why: "This was the email address of an account until recently. If you didn't enter it, you don't have to do anything: no one got in.",
        },
        Notice::EmailWanted => NoticeText {
            subject: "Your address was entered for another account".into(),
            what: format!("Someone tried to use this address for another Latchkey account {happened}. It already belongs to yours, so nothing changed."),
            advice: "If this was you, you have two accounts. Log in to the one with this address here:".into(),
            button: "Log in",
            link: origin.link("/login"),
            why: "This is the email address of your account. If you didn't try this, you don't have to do anything: no one got in.",
        },
        Notice::Leaving { until } => NoticeText {
            subject: "Your account will be deleted".into(),
            what: format!("You asked to delete your Latchkey account {happened}. Every session was ended. We'll delete the account and its data on {}.", moment(*until)),
            advice: "If this wasn't you, or you change your mind, log in before then to keep the account:".into(),
            button: "Log in and keep it",
            link: origin.link("/login"),
            why: "We send this email when an account is about to be deleted.",
        },
        Notice::FactorAdded { factor, undo } => {
            let (what, consequence) = added(*factor);
            NoticeText {
                subject: "A way to log in was added".into(),
                what: format!("{what} {happened}.{consequence}"),
                advice: format!("If this wasn't you, undo it within {}. That removes it, ends every session and sends you a link to set a new password.", in_words(undo.valid_for)),
                button: "Undo this",
                link: undo.url.clone(),
                why: WAYS_TO_LOG_IN_CHANGE,
            }
        }
        Notice::FactorRemoved(factor) => NoticeText {
            subject: "A way to log in was removed".into(),
            what: format!("{} {happened}.", removed(*factor)),
            advice: "If this wasn't you, set a new password now, which ends every session. Then log in and set it up again.".into(),
            button: "Set a new password",
            link: origin.link("/forgot-password"),
            why: WAYS_TO_LOG_IN_CHANGE,
        },
        Notice::PasskeyStepOff { undo } => NoticeText {
            subject: "Your password alone now logs you in".into(),
            what: format!("Your Latchkey account stopped requiring a passkey after your password {happened}. Your password alone now logs you in. Your recovery codes were deleted; your passkeys still work."),
            advice: format!("If this wasn't you, undo it within {}. That requires the passkey again, ends every session and sends you a link to set a new password.", in_words(undo.valid_for)),
            button: "Undo this",
            link: undo.url.clone(),
            why: WAYS_TO_LOG_IN_CHANGE,
        },
        Notice::TokenCreated { api_scopes, expires_at, not_me } => token_created(origin, api_scopes, *expires_at, not_me.as_ref(), happened),
        Notice::FactorLocked { failures } => NoticeText {
            subject: "Your authenticator app is locked".into(),
            what: format!("{failures} wrong codes were entered for your Latchkey account, the last one {happened}. Someone knows your password, but didn't get in. Codes from your app no longer work; recovery codes and passkeys do."),
            advice: "If this wasn't you, set a new password now. Then log in with a recovery code or a passkey, and set up your app again.".into(),
            button: "Set a new password",
            link: origin.link("/forgot-password"),
            why: "We send this email when too many wrong codes lock your authenticator app.",
        },
        Notice::PasskeyCopied => NoticeText {
            subject: "One of your passkeys was refused".into(),
            what: format!("A passkey of your Latchkey account was used {happened}, but its counter was lower than before. There may be a copy of it, so we refused it."),
            advice: "Even if this was you, remove the passkey that is marked as refused and add a new one.".into(),
            button: "Show my passkeys",
            link: origin.link("/account/security"),
            why: "We send this email when a passkey seems to have been copied.",
        },
        Notice::RecoveryCodesLow { left } => NoticeText {
            subject: match left {
                0 => "Your last recovery code was used".into(),
                1 => "One recovery code is left".into(),
                more => format!("{more} recovery codes are left"),
            },
            what: format!("A recovery code of your Latchkey account was used {happened}. {}", match left {
                0 => "It was the last one. Without new codes, you could lose access if you lose your phone.".to_owned(),
                1 => "One is left.".to_owned(),
                more => format!("{more} are left."),
            }),
            advice: "Create new codes while you can still log in. If you didn't use the code, set a new password as well and remove ways to log in that you don't recognize.".into(),
            button: "Create new recovery codes",
            link: origin.link("/account/security"),
            why: "We send this email when few of your recovery codes are left.",
        },
        Notice::NewDevice { not_me, ended_oldest } => NoticeText {
            subject: "New log-in to your account".into(),
            what: format!("Someone logged in to your Latchkey account {happened}. You haven't used this browser before.{}", match ended_oldest {
                Some(limit) => format!(" You can have {limit} sessions, so your oldest one was ended."),
                None => String::new(),
            }),
            advice: format!("If this was you, ignore this email. If not, secure your account: we'll end every session, undo what was added to your account since then, and send you a link to set a new password. The link works for {}.", in_words(not_me.valid_for)),
            button: "Secure my account",
            link: not_me.url.clone(),
            why: "We send this email when you log in with a new browser.",
        },
        Notice::SecondStepMissing { within } => NoticeText {
            subject: "Your password was entered in a new browser".into(),
            what: format!("The right password of your Latchkey account was entered {happened}, in a browser that you haven't used before. The second step wasn't completed within {}, so no one got in.", in_words(*within)),
            advice: "If this was you, ignore this email. If not, someone else knows your password: set a new one now.".into(),
            button: "Set a new password",
            link: origin.link("/forgot-password"),
            why: "We send this email at most once a day, when your password is entered in a new browser without the second step.",
        },
        Notice::RepeatedFailures { failures, unlock } => NoticeText {
            subject: "Someone is guessing your password".into(),
            what: format!("{failures} wrong passwords were entered for your Latchkey account, the last one {happened}. No one got in. Further attempts from there have to wait. Browsers that you have logged in with before are not affected."),
            advice: "If this was you, you can try again right away with this link. If not, you don't have to do anything.".into(),
            button: "Let me try again",
            link: unlock.url.clone(),
            why: "We send this email after repeated wrong passwords.",
        },
        Notice::ChangedByProgram { user, email, change, by } => {
            changed_by_program(origin.link(&format!("/admin/users/{user}")), email, *change, by, happened)
        }
        Notice::PasswordLocked { failures, unknown_browser, unlock } => {
            let (whence, others) = match unknown_browser {
                true => ("browsers that you haven't used before", "Browsers that you have used before"),
                false => ("that browser", "Other browsers that you have used before"),
            };
            NoticeText {
                subject: "Your password is locked".into(),
                what: format!("{failures} wrong passwords were entered for your Latchkey account, the last one {happened}. No one got in. In {whence}, your password no longer works, even if it is entered correctly. {others} are not affected, and passkeys work everywhere."),
                advice: "Unlock your password with this link, or set a new one.".into(),
                button: "Unlock my password",
                link: unlock.url.clone(),
                why: "We send this email when too many wrong passwords lock your password.",
            }
        }
    }
}

/// * `link`: to the user.
fn changed_by_program(
    link: String,
    email: &Email,
    change: ProgramChange,
    by: &Email,
    happened: &str,
) -> NoticeText {
    let email = isolated(email.as_str());
    let (subject, what, revert) = match change {
        ProgramChange::Role(role) => (
            "A program changed a role",
            format!("The role of {email} was changed to “{}”", role.as_str()),
            "change the role back",
        ),
        ProgramChange::Disabled => {
            ("A program disabled an administrator", format!("{email} was disabled"), "enable the account")
        }
        ProgramChange::Enabled => {
            ("A program enabled an administrator", format!("{email} was enabled"), "disable the account")
        }
    };
    NoticeText {
        subject: subject.into(),
        what: format!("{what} {happened}, with an API token of {}.", isolated(by.as_str())),
        advice: format!(
            "If no administrator wanted this, {revert}. Then revoke the token and end every session of the administrator whose token it is."
        ),
        button: "Show the user",
        link,
        why: "We send this email to every administrator when a program changes a role, or disables or enables an administrator.",
    }
}

fn token_created(
    origin: &Origin,
    api_scopes: &[&str],
    expires_at: OffsetDateTime,
    not_me: Option<&MailedLink>,
    happened: &str,
) -> NoticeText {
    let opens = match api_scopes {
        [] => "one of your apps as you".to_owned(),
        scopes => format!("Latchkey's API as you, with the scopes {}", scopes.join(", ")),
    };
    let (maker, advice, button, link) = match not_me {
        Some(not_me) => (
            format!("was created {happened}"),
            format!(
                "If this was you, ignore this email. If not, secure your account: we'll end every session, revoke every token, undo what was added to your account since that session began, and send you a link to set a new password. The link works for {}.",
                in_words(not_me.valid_for)
            ),
            "Secure my account",
            not_me.url.clone(),
        ),
        None => (
            "was created by the operator of this site".to_owned(),
            "If you didn't expect this, contact the operator. You can revoke the token at any time."
                .to_owned(),
            "Show my tokens",
            origin.link("/account/tokens"),
        ),
    };
    NoticeText {
        subject: "An access token was created".into(),
        what: format!(
            "An access token for your Latchkey account {maker}. A program that has it can use {opens}, until {}.",
            moment(expires_at)
        ),
        advice,
        button,
        link,
        why: "We send this email whenever an access token is created for your account.",
    }
}

/// What was added, and what that means for logging in.
fn added(factor: AddedFactor) -> (&'static str, &'static str) {
    let passkey = "A passkey was added to your Latchkey account";
    match factor {
        AddedFactor::AuthenticatorApp => ("An authenticator app was added to your Latchkey account", ""),
        AddedFactor::Passkey => (passkey, ""),
        AddedFactor::PasskeyRequired => (passkey, " It is now required after your password."),
        AddedFactor::PasskeyOptional => (passkey, " Your password alone still logs you in as well."),
        AddedFactor::PasskeyStep => {
            ("Your Latchkey account was set to require a passkey after your password", "")
        }
        AddedFactor::RecoveryCodes => ("New recovery codes were created for your Latchkey account", ""),
    }
}

fn removed(factor: RemovedFactor) -> &'static str {
    match factor {
        RemovedFactor::AuthenticatorApp => "The authenticator app was removed from your Latchkey account",
        RemovedFactor::Passkey => "A passkey was removed from your Latchkey account",
        RemovedFactor::EverySecondFactor => "Every second factor was removed from your Latchkey account",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_when_and_from_where() {
        let client = Client::stored("192.0.2.1".into(), String::new());
        let happened = circumstances(OffsetDateTime::UNIX_EPOCH, &client);
        assert_eq!(happened, "on 1 January 1970, 00:00 UTC, from an unknown device at 192.0.2.1");
        let unknown = circumstances(OffsetDateTime::UNIX_EPOCH, &Client::default());
        assert!(unknown.ends_with("at an unknown IP address"), "{unknown}");
    }
}
