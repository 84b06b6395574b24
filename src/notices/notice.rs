//! What people are told about their own account, by mail, in the transaction of what happened (NIST SP 800-63B-4
//! §4.6; ASVS 5.0 6.3.5, 6.3.7). Called by the operations.

use diesel::pg::PgConnection;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::config::Span;
use crate::db::Fault;
use crate::identity::{Client, Email, Recipient};
use crate::mail;
use crate::notices::Notices;
use crate::unicode::direction::isolated;

/// News that is older is none.
const WORTH_SENDING: Span = Span::days(3);

/// An event that the account's owner is told of, regardless of who caused it. Links are complete URLs. No
/// field holds text that a person typed, except for addresses: the types ensure that (see `mail/messages.rs`).
pub(crate) enum Notice<'a> {
    PasswordChanged,
    /// Set through a mailed link.
    PasswordReset,
    /// For the old address; `undo` restores it for as long as `valid_for` says.
    EmailChanged {
        new: &'a Email,
        undo: String,
        valid_for: String,
    },
    /// For the address the account still has. `new` is masked, so that a reader of this inbox does not learn
    /// it before it is proven. `not_me` cancels the change and cleans up.
    EmailChangeAsked {
        new: String,
        not_me: String,
        valid_for: String,
    },
    /// Somebody wants this address for another account.
    EmailWanted,
    /// The same, while the address is kept for the account that had it before.
    AddressReserved {
        until: String,
    },
    /// The account is deleted at `until` unless its owner logs in.
    Leaving {
        until: String,
    },
    /// As in "a passkey": never by the name it was given.
    FactorAdded {
        factor: &'static str,
        undo: String,
        valid_for: String,
    },
    FactorRemoved(&'static str),
    /// The password alone logs in from now on, although there is a passkey.
    PasskeyStepOff {
        undo: String,
        valid_for: String,
    },
    /// So many wrong codes that none is looked at any more.
    FactorLocked {
        failures: i32,
    },
    /// The counter of a passkey went back. Once for each passkey; its page marks it.
    PasskeyCopied,
    /// So few are left.
    RecoveryCodesLow {
        left: usize,
    },
    /// `not_me` ends the session that was opened. `ended_oldest`: the limit of sessions, if the oldest one ended for it.
    NewDevice {
        not_me: String,
        valid_for: String,
        ended_oldest: Option<i64>,
    },
    /// The right password in a new browser, and no second step within the time there is for it.
    SecondStepMissing,
    /// Once for each time it begins; `unlock` ends the waiting.
    RepeatedFailures {
        failures: i32,
        unlock: String,
    },
    /// So many wrong passwords that none is looked at any more: from unknown browsers, or in one known browser.
    PasswordLocked {
        failures: i32,
        unknown_browser: bool,
        unlock: String,
    },
}

/// What makes one notice different from another.
struct NoticeText {
    subject: String,
    what: String,
    advice: String,
    button: &'static str,
    link: String,
    why: &'static str,
}

impl Notices {
    /// Puts the letter into the outbox, in the transaction of what it tells of: nobody waits for it to be sent.
    pub(crate) fn send_notice(
        &self,
        conn: &mut PgConnection,
        to: &Recipient,
        notice: &Notice<'_>,
        client: &Client,
    ) -> Result<(), Fault> {
        self.send_notice_at(conn, to, notice, client, OffsetDateTime::now_utc())
    }

    /// The same, for an event that happened at the time `at`.
    pub(crate) fn send_notice_at(
        &self,
        conn: &mut PgConnection,
        to: &Recipient,
        notice: &Notice<'_>,
        client: &Client,
        at: OffsetDateTime,
    ) -> Result<(), Fault> {
        let when = at
            .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
            .map_err(Fault::bug)?;
        let address = if client.address.is_empty() { "an unknown place" } else { &client.address };
        let device = crate::device::name(&client.user_agent);
        let words = self.text(notice, &format!("on {when}, from {device} at {address}"));
        let letter = mail::NoticeMail {
            subject: words.subject,
            what: words.what,
            advice: words.advice,
            button: words.button.into(),
            link: words.link,
            why: words.why.into(),
        };
        self.mailer.enqueue(conn, &to.email, &letter, WORTH_SENDING.std())
    }

    /// `happened`: when, and from where.
    fn text(&self, notice: &Notice<'_>, happened: &str) -> NoticeText {
        let new_password = "It was not you? Set a new password at once, which logs everybody out:";
        match notice {
            Notice::PasswordChanged => NoticeText {
                subject: "Your password was changed".into(),
                what: format!("your Latchkey password was changed {happened}. Every other device was logged out."),
                advice: new_password.into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent on every change of your password.",
            },
            Notice::PasswordReset => NoticeText {
                subject: "Your password was changed".into(),
                what: format!("a new Latchkey password was set through a link sent to you, {happened}. Every device was logged out."),
                advice: new_password.into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent on every change of your password.",
            },
            Notice::EmailChanged { new, undo, valid_for } => NoticeText {
                subject: "Your e-mail address was changed".into(),
                what: format!("the address of your Latchkey account was changed to {} {happened}. From now on you log in with that one, and letters go there.", isolated(new.as_str())),
                advice: format!("If it was not you, take it back within {valid_for}: this address counts again, everyone is logged out, ways to log in that were added since the request are removed, and you get a link to set a new password."),
                button: "Take it back",
                link: undo.clone(),
                why: "this was the address of your account until now.",
            },
            Notice::EmailChangeAsked { new, not_me, valid_for } => NoticeText {
                subject: "A new e-mail address was requested".into(),
                what: format!("a new address, {new}, was requested for your Latchkey account {happened}. Nothing changes until the link that we mailed to that address is opened."),
                advice: format!("If it was you, there is nothing to do here. If it was not you: within {valid_for}, this cancels the change, logs everyone out, and mails you a link to set a new password."),
                button: "This was not me",
                link: not_me.clone(),
                why: "it is sent to the current address of an account when another one is requested.",
            },
            Notice::AddressReserved { until } => NoticeText {
                subject: "Your old address was entered for another account".into(),
                what: format!("someone entered this address for another Latchkey account {happened}. Another account used this address until recently, so we keep it for that account until {until}. Nothing was changed."),
                advice: "If you changed your address yourself, there is nothing to do. If you did not, use the link in our letter “Your e-mail address was changed”, which takes the change back. After that date, this address is free for a new account:".into(),
                button: "Register",
                link: self.mailer.link("/register"),
                why: "it was the address of an account until recently. If it was not you who entered it, do nothing. No one got in.",
            },
            Notice::EmailWanted => NoticeText {
                subject: "Your address was entered for another account".into(),
                what: format!("somebody wanted to make this the address of another Latchkey account, {happened}. It is yours, so nothing changed."),
                advice: "It was you? Then you have two notices. Log in to this one here:".into(),
                button: "Log in",
                link: self.mailer.link("/login"),
                why: "it is your account's address. It was not you who tried? Do nothing. Nobody got in.",
            },
            Notice::Leaving { until } => NoticeText {
                subject: "Your account will be deleted".into(),
                what: format!("you asked to delete your Latchkey account {happened}. Everybody is logged out. On {until} the account and what is kept with it are deleted."),
                advice: "It was not you, or you think better of it? Log in before then and the account stays:".into(),
                button: "Log in and keep it",
                link: self.mailer.link("/login"),
                why: "it is sent when an account is about to be deleted.",
            },
            Notice::FactorAdded { factor, undo, valid_for } => NoticeText {
                subject: "A way to log in was added".into(),
                what: format!("this was added to your Latchkey account {happened}: {factor}."),
                advice: format!("It was not you? Take it back within {valid_for}: it is removed, everybody is logged out, and you get a link to set a new password."),
                button: "Take it back",
                link: undo.clone(),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::FactorRemoved(factor) => NoticeText {
                subject: "A way to log in was removed".into(),
                what: format!("this was removed from your Latchkey account {happened}: {factor}."),
                advice: "It was not you? Set a new password at once, which logs everybody out. Then log in and set it up again:".into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::PasskeyStepOff { undo, valid_for } => NoticeText {
                subject: "Your password alone now logs you in".into(),
                what: format!("your Latchkey account stopped asking for a passkey after your password {happened}. From now on your password alone logs you in. Your recovery codes were deleted; your passkeys still work."),
                advice: format!("If it was not you, take it back within {valid_for}: the passkey is required again, every session is ended, and you get a link to set a new password."),
                button: "Take it back",
                link: undo.clone(),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::FactorLocked { failures } => NoticeText {
                subject: "Your authenticator app is locked".into(),
                what: format!("{failures} wrong codes were entered for your Latchkey account, the last one {happened}. Whoever did it knows your password, but did not get in. Codes from your app open nothing any more; recovery codes and passkeys do."),
                advice: "It was not you? Set a new password at once. Then log in with a recovery code or a passkey, and set your app up again:".into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent when your authenticator app is locked after too many wrong codes.",
            },
            Notice::PasskeyCopied => NoticeText {
                subject: "A passkey of yours was refused".into(),
                what: format!("a passkey of your Latchkey account was used {happened}, but its counter was behind the one we have seen before. There may be a copy of it, so no one got in."),
                advice: "Whether it was you or not: remove the passkey that is marked as refused, and make a new one.".into(),
                button: "Look at my passkeys",
                link: self.mailer.link("/account/security"),
                why: "it is sent when a passkey seems to have been copied.",
            },
            Notice::RecoveryCodesLow { left } => NoticeText {
                subject: match left {
                    0 => "Your last recovery code is used".into(),
                    1 => "One recovery code is left".into(),
                    more => format!("{more} recovery codes are left"),
                },
                what: format!("a recovery code of your Latchkey account was used {happened}. {}", match left {
                    0 => "It was the last one: without another you may be locked out when your phone is lost.".to_owned(),
                    1 => "One is left.".to_owned(),
                    more => format!("{more} are left."),
                }),
                advice: "Make new ones while you can get in. It was not you who used it? Set a new password as well, and remove what you do not know:".into(),
                button: "Make new recovery codes",
                link: self.mailer.link("/account/security"),
                why: "recovery codes are used up one by one, and you have few.",
            },
            Notice::NewDevice { not_me, valid_for, ended_oldest } => NoticeText {
                subject: "Your account was opened in a new browser".into(),
                what: format!("someone logged in to your Latchkey account {happened}. That browser is new to us.{}", match ended_oldest {
                    Some(limit) => format!(" That was one session more than the {limit} you can have, so your oldest session was ended."),
                    None => String::new(),
                }),
                advice: format!("If it was you, there is nothing to do. If it was not, within {valid_for} this link logs everyone out, removes what was added to your account since, and mails you a link to set a new password:"),
                button: "This was not me",
                link: not_me.clone(),
                why: "it is sent when a browser logs in that has not done so before.",
            },
            Notice::SecondStepMissing => NoticeText {
                subject: "Your password was entered in a new browser".into(),
                what: format!("the right password of your Latchkey account was entered {happened}, in a browser that is new to us. The second step was not completed within ten minutes, so no one got in."),
                advice: "If it was you, there is nothing to do. If it was not, someone else knows your password. Set a new one at once:".into(),
                button: "Set a new password",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent at most once a day, when your password is entered in a new browser without the second step.",
            },
            Notice::RepeatedFailures { failures, unlock } => NoticeText {
                subject: "Somebody is guessing your password".into(),
                what: format!("{failures} wrong passwords were tried at your Latchkey account, the last one {happened}. Nobody got in. Further tries from there now have to wait. Other browsers you have used before do not."),
                advice: "It was you, and you cannot wait? This lets you try again at once. It was not? There is nothing to do:".into(),
                button: "Let me try again",
                link: unlock.clone(),
                why: "it is sent when wrong passwords pile up.",
            },
            Notice::PasswordLocked { failures, unknown_browser, unlock } => NoticeText {
                subject: "Your password is locked".into(),
                what: format!("{failures} wrong passwords were tried at your Latchkey account, the last one {happened}. Nobody got in. From {}, it is not looked at any more, not even the right one. {} you have used before are not affected, and passkeys work everywhere.", if *unknown_browser { "browsers you have not used before" } else { "that browser" }, if *unknown_browser { "Those" } else { "Others" }),
                advice: "This unlocks it, as does setting a new password:".into(),
                button: "Unlock my password",
                link: unlock.clone(),
                why: "it is sent when your password is locked after too many wrong ones.",
            },
        }
    }
}
