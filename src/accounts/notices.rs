//! What people are told about their own account, by mail, in the transaction of what happened (NIST SP 800-63B-4
//! §4.6; ASVS 5.0 6.3.5, 6.3.7). Called by the operations.

use diesel::pg::PgConnection;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Accounts, Addressee, Client};
use crate::config::Span;
use crate::db::Fault;
use crate::mail;

/// News that is older is none.
const WORTH_SENDING: Span = Span::days(3);

/// Something its owner hears of, whoever did it. Links are whole, as they stand in the letter.
pub(super) enum Notice<'a> {
    PasswordChanged,
    /// Set through a mailed link.
    PasswordReset,
    /// For the old address; `undo` restores it for as long as `valid_for` says.
    EmailChanged {
        new: &'a str,
        undo: String,
        valid_for: String,
    },
    /// Somebody wants this address for another account.
    EmailWanted,
    /// The account is deleted at `until` unless its owner logs in.
    Leaving {
        until: String,
    },
    /// As in "passkey “laptop”".
    FactorAdded {
        factor: &'a str,
        undo: String,
        valid_for: String,
    },
    FactorRemoved(&'a str),
    /// The password alone logs in from now on, although there is a passkey.
    PasskeyStepOff {
        undo: String,
        valid_for: String,
    },
    /// So many wrong codes that none is looked at any more.
    FactorLocked {
        failures: i32,
    },
    /// The counter of this passkey went back. Once for each passkey.
    PasskeyCopied(&'a str),
    /// So few are left.
    RecoveryCodesLow {
        left: usize,
    },
    /// `not_me` ends the session that was opened.
    NewDevice {
        not_me: String,
        valid_for: String,
    },
    /// Once for each time it begins; `unlock` ends the waiting.
    RepeatedFailures {
        failures: i32,
        unlock: String,
    },
    /// So many wrong passwords that none is looked at any more: from `outside`, or in one known browser.
    PasswordLocked {
        failures: i32,
        outside: bool,
        unlock: String,
    },
}

/// What makes one notice different from another.
struct Words {
    subject: String,
    what: String,
    advice: String,
    button: &'static str,
    link: String,
    why: &'static str,
}

impl Accounts {
    /// Puts the letter into the outbox, in the transaction of what it tells of: nobody waits for it to be sent.
    pub(super) fn tell(
        &self,
        conn: &mut PgConnection,
        to: &Addressee,
        notice: &Notice<'_>,
        client: &Client,
    ) -> Result<(), Fault> {
        let when = OffsetDateTime::now_utc()
            .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
            .map_err(Fault::bug)?;
        let address = if client.address.is_empty() { "an unknown place" } else { &client.address };
        let device = crate::device::name(&client.user_agent);
        let words = self.words(notice, &format!("on {when}, from {device} at {address}"));
        let letter = mail::Notice {
            subject: words.subject,
            name: to.name.clone(),
            what: words.what,
            advice: words.advice,
            button: words.button.into(),
            link: words.link,
            why: words.why.into(),
        };
        self.mailer.enqueue(conn, &to.email, &letter, WORTH_SENDING.std())
    }

    /// `happened`: when, and from where.
    fn words(&self, notice: &Notice<'_>, happened: &str) -> Words {
        let new_password = "It was not you? Set a new password at once, which logs everybody out:";
        match notice {
            Notice::PasswordChanged => Words {
                subject: "Your password was changed".into(),
                what: format!("your Latchkey password was changed {happened}. Every other device was logged out."),
                advice: new_password.into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent on every change of your password.",
            },
            Notice::PasswordReset => Words {
                subject: "Your password was changed".into(),
                what: format!("a new Latchkey password was set through a link sent to you, {happened}. Every device was logged out."),
                advice: new_password.into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent on every change of your password.",
            },
            Notice::EmailChanged { new, undo, valid_for } => Words {
                subject: "Your e-mail address was changed".into(),
                what: format!("the address of your Latchkey account was changed to {new} {happened}. From now on you log in with that one, and letters go there."),
                advice: format!("It was not you? Take it back within {valid_for}: this address counts again, and everybody is logged out."),
                button: "Take it back",
                link: undo.clone(),
                why: "this was the address of your account until now.",
            },
            Notice::EmailWanted => Words {
                subject: "Your address was entered for another account".into(),
                what: format!("somebody wanted to make this the address of another Latchkey account, {happened}. It is yours, so nothing changed."),
                advice: "It was you? Then you have two accounts. Log in to this one here:".into(),
                button: "Log in",
                link: self.mailer.link("/login"),
                why: "it is your account's address. It was not you who tried? Do nothing. Nobody got in.",
            },
            Notice::Leaving { until } => Words {
                subject: "Your account will be deleted".into(),
                what: format!("you asked to delete your Latchkey account {happened}. Everybody is logged out. On {until} the account and what is kept with it are deleted."),
                advice: "It was not you, or you think better of it? Log in before then and the account stays:".into(),
                button: "Log in and keep it",
                link: self.mailer.link("/login"),
                why: "it is sent when an account is about to be deleted.",
            },
            Notice::FactorAdded { factor, undo, valid_for } => Words {
                subject: "A way to log in was added".into(),
                what: format!("this was added to your Latchkey account {happened}: {factor}."),
                advice: format!("It was not you? Take it back within {valid_for}: it is removed, everybody is logged out, and you get a link to set a new password."),
                button: "Take it back",
                link: undo.clone(),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::FactorRemoved(factor) => Words {
                subject: "A way to log in was removed".into(),
                what: format!("this was removed from your Latchkey account {happened}: {factor}."),
                advice: "It was not you? Set a new password at once, which logs everybody out. Then log in and set it up again:".into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::PasskeyStepOff { undo, valid_for } => Words {
                subject: "Your password alone now logs you in".into(),
                what: format!("your Latchkey account stopped asking for a passkey after your password {happened}. From now on your password alone logs you in. Your recovery codes were deleted; your passkeys still work."),
                advice: format!("It was not you? Take it back within {valid_for}: the passkey is required again, every session is ended, and you get a link to set a new password."),
                button: "Take it back",
                link: undo.clone(),
                why: "it is sent whenever the ways to log in to your account change.",
            },
            Notice::FactorLocked { failures } => Words {
                subject: "Your authenticator app is locked".into(),
                what: format!("{failures} wrong codes were entered for your Latchkey account, the last one {happened}. Whoever did it knows your password, but did not get in. Codes from your app open nothing any more; recovery codes and passkeys do."),
                advice: "It was not you? Set a new password at once. Then log in with a recovery code or a passkey, and set your app up again:".into(),
                button: "It was not me",
                link: self.mailer.link("/forgot-password"),
                why: "it is sent when your authenticator app is locked after too many wrong codes.",
            },
            Notice::PasskeyCopied(name) => Words {
                subject: "A passkey of yours was refused".into(),
                what: format!("the passkey “{name}” of your Latchkey account was used {happened}, and was behind the uses we have seen before. There may be a copy of it, so nobody got in."),
                advice: "Whether it was you or not: remove that passkey and make a new one.".into(),
                button: "Look at my passkeys",
                link: self.mailer.link("/account/security"),
                why: "it is sent when a passkey seems to have been copied.",
            },
            Notice::RecoveryCodesLow { left } => Words {
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
            Notice::NewDevice { not_me, valid_for } => Words {
                subject: "Your account was opened in a new browser".into(),
                what: format!("somebody logged in to your Latchkey account {happened}. That browser is new to us."),
                advice: format!("It was you? There is nothing to do. It was not? Within {valid_for}, this ends that session and mails you a link to set a new password:"),
                button: "This was not me",
                link: not_me.clone(),
                why: "it is sent when a browser logs in that has not done so before.",
            },
            Notice::RepeatedFailures { failures, unlock } => Words {
                subject: "Somebody is guessing your password".into(),
                what: format!("{failures} wrong passwords were tried at your Latchkey account, the last one {happened}. Nobody got in. Further tries from there now have to wait. Other browsers you have used before do not."),
                advice: "It was you, and you cannot wait? This lets you try again at once. It was not? There is nothing to do:".into(),
                button: "Let me try again",
                link: unlock.clone(),
                why: "it is sent when wrong passwords pile up.",
            },
            Notice::PasswordLocked { failures, outside, unlock } => Words {
                subject: "Your password is locked".into(),
                what: format!("{failures} wrong passwords were tried at your Latchkey account, the last one {happened}. Nobody got in. From {}, it is not looked at any more, not even the right one. {} you have used before are not affected, and passkeys work everywhere.", if *outside { "browsers you have not used before" } else { "that browser" }, if *outside { "Those" } else { "Others" }),
                advice: "This unlocks it, as does setting a new password:".into(),
                button: "Unlock my password",
                link: unlock.clone(),
                why: "it is sent when your password is locked after too many wrong ones.",
            },
        }
    }
}
