//! Why a form was refused, and what to do.

use super::flash::Flash;
use super::links;
use super::phrase::Phrase;
use crate::factors::{CodeRefusal, PasskeyRefusal};
use crate::identity::{InvalidEmail, InvalidName};
use crate::login::{ConfirmRefusal, LoginRefusal};
use crate::passwords::WeakPassword;
use crate::recovery::ResetRefusal;
use crate::registration::{InviteRefusal, RegisterRefusal, SetupRefusal, VerifyRefusal};
use crate::throttle::RetryAfter;
use crate::users::{AdminRefusal, ChangeEmailRefusal, ChangePasswordRefusal, DeleteAccountRefusal};

/// The first code of an authenticator app that is being set up.
pub const WRONG_FIRST_CODE: Phrase = Phrase::new(
    "wrong",
    "That's not the code your app should show now. Check its clock, then enter the next one.",
);

pub const UNKNOWN_ROLE: Phrase = Phrase::new("unknown-role", "Choose one of the roles.");

/// At "Forgot your password?".
pub const NO_RESET_MAIL: Phrase = Phrase::new(
    "no-mail",
    "This server can't send email, so it can't send you a link. Ask an administrator for help.",
);

const NO_MAIL: Phrase = Phrase::new("no-mail", "This server can't send email, so no link can be sent.");

impl From<LoginRefusal> for Phrase {
    fn from(refusal: LoginRefusal) -> Self {
        match refusal {
            LoginRefusal::NoMatch => Self::new(
                "no-match",
                "That email and password don't match. If your address isn't confirmed yet or your password is locked, we've emailed you what to do.",
            ),
            LoginRefusal::TooMany(wait) => wait.into(),
        }
    }
}

impl From<ConfirmRefusal> for Phrase {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::WrongPassword => Self::new(
                "wrong-password",
                "That's not your password. If it's locked after too many attempts, we've emailed you what to do.",
            ),
            ConfirmRefusal::Code(refusal) => refusal.into(),
            ConfirmRefusal::TooMany(wait) => wait.into(),
            ConfirmRefusal::SessionLost => Flash::SessionLost.into(),
        }
    }
}

impl From<CodeRefusal> for Phrase {
    fn from(refusal: CodeRefusal) -> Self {
        match refusal {
            CodeRefusal::Wrong => Self::new(
                "wrong",
                "That code is wrong or has been used. Enter the one your app shows now, or a recovery code.",
            ),
            CodeRefusal::Locked => Self::new(
                "locked",
                "After too many wrong codes, your authenticator app is locked. Use a recovery code instead.",
            ),
            CodeRefusal::TooMany(wait) => wait.into(),
        }
    }
}

impl From<&PasskeyRefusal> for Phrase {
    fn from(refusal: &PasskeyRefusal) -> Self {
        let (code, text) = match refusal {
            PasskeyRefusal::TooMany(wait) => return (*wait).into(),
            PasskeyRefusal::Unavailable => {
                ("unavailable", "Passkeys don't work at this address. Use another way.")
            }
            PasskeyRefusal::Expired => ("expired", "That took too long. Try again."),
            // The same for a removed passkey and a disabled account.
            PasskeyRefusal::Unknown => {
                ("unknown", "This passkey isn't accepted here. Use another one, or another way.")
            }
            PasskeyRefusal::NotVerified => (
                "not-verified",
                "Your device didn't check that it's you. Set up a PIN, fingerprint or face on it, then try again.",
            ),
            PasskeyRefusal::Invalid => {
                ("invalid", "We couldn't check this passkey. Try again, or use another way.")
            }
            PasskeyRefusal::PossiblyCloned => (
                "possibly-cloned",
                "There may be a copy of this passkey, so we don't accept it. Use another way, then remove the passkey.",
            ),
            PasskeyRefusal::AlreadyRegistered => {
                ("already-registered", "This device already has a passkey for your account.")
            }
            PasskeyRefusal::LimitReached => {
                ("limit-reached", "You have as many passkeys as an account can have. Remove one first.")
            }
            PasskeyRefusal::PendingLoginGone => ("pending-login-gone", "That took too long. Log in again."),
            PasskeyRefusal::SessionLost => {
                ("session-lost", "Something else changed in this session at the same time. Reload the page.")
            }
        };
        Self::new(code, text)
    }
}

impl From<RegisterRefusal> for Phrase {
    fn from(refusal: RegisterRefusal) -> Self {
        match refusal {
            RegisterRefusal::Closed => Self::new(
                "closed",
                "Registration is closed. Ask an administrator to create an account for you.",
            ),
            RegisterRefusal::NoMail => Self::new(
                "no-mail",
                "This server can't send email at the moment, so it can't confirm your address. Ask an administrator to create an account for you.",
            ),
            RegisterRefusal::NotInvited => Self::new(
                "not-invited",
                "You need an invitation to register. Open the link in your invitation, and use the address it was sent to.",
            ),
            RegisterRefusal::Fields { .. } => Self::new("fields", "Check what you typed."),
            RegisterRefusal::TooMany(wait) => wait.into(),
        }
    }
}

impl From<VerifyRefusal> for Phrase {
    fn from(refusal: VerifyRefusal) -> Self {
        match refusal {
            VerifyRefusal::DeadLink => links::DEAD_REGISTRATION,
            VerifyRefusal::PasswordNeeded => Flash::RegistrationPassword.into(),
            VerifyRefusal::WrongPassword => {
                Self::new("wrong-password", "That's not the password you registered with.")
            }
            VerifyRefusal::TooMany(wait) => wait.into(),
        }
    }
}

impl From<ResetRefusal> for Phrase {
    fn from(refusal: ResetRefusal) -> Self {
        match refusal {
            ResetRefusal::DeadLink => links::DEAD_RESET,
            ResetRefusal::Weak(why) => why.into(),
        }
    }
}

impl From<SetupRefusal> for Phrase {
    fn from(refusal: SetupRefusal) -> Self {
        match refusal {
            SetupRefusal::DeadLink => links::DEAD_SETUP,
            SetupRefusal::Taken => Self::new(
                "taken",
                "There is already an account with this address. Use another address, or make that user an administrator on the command line.",
            ),
            SetupRefusal::Register(refusal) => refusal.into(),
        }
    }
}

impl From<ChangePasswordRefusal> for Phrase {
    fn from(refusal: ChangePasswordRefusal) -> Self {
        match refusal {
            ChangePasswordRefusal::WrongPassword => Self::new(
                "wrong-password",
                "That's not your current password. If it's locked after too many attempts, we've emailed you what to do.",
            ),
            ChangePasswordRefusal::Same => {
                Self::new("same", "That's already your password. Choose a different one.")
            }
            ChangePasswordRefusal::Weak(why) => why.into(),
            ChangePasswordRefusal::TooMany(wait) => wait.into(),
            ChangePasswordRefusal::SessionLost => Flash::SessionLost.into(),
        }
    }
}

impl From<ChangeEmailRefusal> for Phrase {
    fn from(refusal: ChangeEmailRefusal) -> Self {
        match refusal {
            ChangeEmailRefusal::Same => {
                Self::new("same", "That's already your address. Enter a different one.")
            }
            ChangeEmailRefusal::NoMail => NO_MAIL,
            ChangeEmailRefusal::TooMany(wait) => wait.into(),
            ChangeEmailRefusal::SessionLost => Flash::SessionLost.into(),
        }
    }
}

impl From<DeleteAccountRefusal> for Phrase {
    fn from(refusal: DeleteAccountRefusal) -> Self {
        match refusal {
            DeleteAccountRefusal::AddressMismatch => {
                Self::new("address-mismatch", "That's not the email of this account. Type it as shown above.")
            }
            DeleteAccountRefusal::LastAdmin => Self::new(
                "last-admin",
                "You're the only administrator. Make another user an administrator first, then delete your account.",
            ),
        }
    }
}

impl From<AdminRefusal> for Phrase {
    fn from(refusal: AdminRefusal) -> Self {
        match refusal {
            AdminRefusal::NoSuchUser => Self::new("no-such-user", "There is no such user."),
            AdminRefusal::LastAdmin => Self::new(
                "last-admin",
                "This is the only administrator. Make another user an administrator first.",
            ),
            AdminRefusal::NoMail => NO_MAIL,
            AdminRefusal::Changed => super::api::CHANGED_SINCE,
            AdminRefusal::AddressTaken => {
                Self::new("taken", "There is already an account with this address.")
            }
        }
    }
}

impl From<InviteRefusal> for Phrase {
    fn from(refusal: InviteRefusal) -> Self {
        match refusal {
            InviteRefusal::Email(why) => why.into(),
            InviteRefusal::Registered => {
                Self::new("registered", "There is already an account with this address.")
            }
            InviteRefusal::NoMail => {
                Self::new("no-mail", "This server can't send email, so no invitation can be sent.")
            }
            InviteRefusal::TooMany(wait) => wait.into(),
        }
    }
}

impl From<InvalidName> for Phrase {
    fn from(why: InvalidName) -> Self {
        match why {
            InvalidName::Empty => Self::new("empty", "Enter a name. It can be any name you go by."),
            InvalidName::TooLong { max } => {
                Self::with("too-long", format!("Use a shorter name: at most {max} characters."))
            }
            InvalidName::Unprintable => Self::new(
                "unprintable",
                "This name has characters that can't be displayed. Type it again without them.",
            ),
            InvalidName::Link => Self::new(
                "link",
                "A name can't look like a link or an email address. Leave out “://”, “www.” and “@”.",
            ),
        }
    }
}

impl From<InvalidEmail> for Phrase {
    fn from(InvalidEmail: InvalidEmail) -> Self {
        Self::new("invalid-email", "Enter an email address, such as ada@example.org.")
    }
}

/// The reason, and what to do (NIST SP 800-63B-4 §3.1.1.2: the reason and guidance SHALL be given).
impl From<WeakPassword> for Phrase {
    fn from(why: WeakPassword) -> Self {
        match why {
            WeakPassword::TooShort { have: 0, min } => {
                Self::with("too-short", format!("Choose a password of at least {min} characters."))
            }
            WeakPassword::TooShort { have, min } => Self::with(
                "too-short",
                format!("Too short: {have} of at least {min} characters. Add another word or two."),
            ),
            WeakPassword::TooLong { max } => {
                Self::with("too-long", format!("Too long. Use at most {max} characters."))
            }
            WeakPassword::TooManyBytes { max } => Self::with(
                "too-many-bytes",
                format!("Too long. Use at most {max} bytes; an emoji takes four or more."),
            ),
            WeakPassword::Listed => Self::new(
                "listed",
                "This password is on lists of leaked passwords. Choose four or more words at random.",
            ),
            WeakPassword::Repeats => {
                Self::new("repeats", "This repeats the same few characters. Use different words instead.")
            }
            WeakPassword::Pattern => Self::new(
                "pattern",
                "This follows the keyboard, the alphabet or the order of numbers. Use unrelated words instead.",
            ),
            WeakPassword::PaddedWord => Self::new(
                "padded-word",
                "This is one common word with numbers or signs around it. Add unrelated words.",
            ),
            WeakPassword::AboutYou => Self::new(
                "about-you",
                "This is made of your name, your address or the name of this site. Add words that have nothing to do with you.",
            ),
        }
    }
}

impl From<RetryAfter> for Phrase {
    fn from(RetryAfter(seconds): RetryAfter) -> Self {
        let wait = match seconds {
            1 => "1 second".to_owned(),
            0..90 => format!("{seconds} seconds"),
            _ => format!("{} minutes", seconds.div_ceil(60)),
        };
        Self::with("too-many", format!("Too many attempts. Try again in {wait}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weak_password_gets_the_reason_and_guidance() {
        for why in [
            WeakPassword::TooShort { have: 3, min: 15 },
            WeakPassword::TooShort { have: 0, min: 15 },
            WeakPassword::TooLong { max: 128 },
            WeakPassword::TooManyBytes { max: 1024 },
            WeakPassword::Listed,
            WeakPassword::Repeats,
            WeakPassword::Pattern,
            WeakPassword::PaddedWord,
            WeakPassword::AboutYou,
        ] {
            let said = Phrase::from(why).text;
            assert!(said.ends_with('.') && !said.contains('!'), "{said}");
            assert!(["Add", "Choose", "Use"].iter().any(|verb| said.contains(verb)), "{said}");
        }
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_minutes() {
        for (seconds, wait) in
            [(1, "1 second."), (89, "89 seconds."), (90, "2 minutes."), (3600, "60 minutes.")]
        {
            let said = Phrase::from(RetryAfter(seconds)).text;
            assert!(said.ends_with(&format!(" in {wait}")), "{said}");
        }
    }
}
