//! Why a form was refused, and what to do.

use super::flash::Flash;
use super::links;
use super::phrase::Phrase;
use crate::factors::{CodeRefusal, PasskeyRefusal};
use crate::identity::{NoEmail, NoName};
use crate::login::{ConfirmRefusal, LogInRefusal};
use crate::passwords::Weak;
use crate::throttle::Wait;
use crate::users::{
    AdminRefusal, ChangeRefusal, EmailRefusal, InviteRefusal, LeaveRefusal, RegisterRefusal, ResetRefusal,
    SetupRefusal, VerifyRefusal,
};

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

impl From<LogInRefusal> for Phrase {
    fn from(refusal: LogInRefusal) -> Self {
        match refusal {
            LogInRefusal::NoMatch => Self::new(
                "no-match",
                "That email and password don't match. If your address isn't confirmed yet or your password is locked, we've emailed you what to do.",
            ),
            LogInRefusal::TooMany(wait) => wait.into(),
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
            PasskeyRefusal::Off => ("unavailable", "Passkeys don't work at this address. Use another way."),
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
            PasskeyRefusal::Copied => (
                "possibly-cloned",
                "There may be a copy of this passkey, so we don't accept it. Use another way, then remove the passkey.",
            ),
            PasskeyRefusal::Taken => {
                ("already-registered", "This device already has a passkey for your account.")
            }
            PasskeyRefusal::Enough => {
                ("limit-reached", "You have as many passkeys as an account can have. Remove one first.")
            }
            PasskeyRefusal::LogInGone => ("pending-login-gone", "That took too long. Log in again."),
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

impl From<ChangeRefusal> for Phrase {
    fn from(refusal: ChangeRefusal) -> Self {
        match refusal {
            ChangeRefusal::WrongPassword => Self::new(
                "wrong-password",
                "That's not your current password. If it's locked after too many attempts, we've emailed you what to do.",
            ),
            ChangeRefusal::Same => Self::new("same", "That's already your password. Choose a different one."),
            ChangeRefusal::Weak(why) => why.into(),
            ChangeRefusal::TooMany(wait) => wait.into(),
            ChangeRefusal::SessionLost => Flash::SessionLost.into(),
        }
    }
}

impl From<EmailRefusal> for Phrase {
    fn from(refusal: EmailRefusal) -> Self {
        match refusal {
            EmailRefusal::Same => Self::new("same", "That's already your address. Enter a different one."),
            EmailRefusal::NoMail => NO_MAIL,
            EmailRefusal::TooMany(wait) => wait.into(),
            EmailRefusal::SessionLost => Flash::SessionLost.into(),
        }
    }
}

impl From<LeaveRefusal> for Phrase {
    fn from(refusal: LeaveRefusal) -> Self {
        match refusal {
            LeaveRefusal::OtherAddress => {
                Self::new("other-address", "That's not the email of this account. Type it as shown above.")
            }
            LeaveRefusal::LastAdmin => Self::new(
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
            AdminRefusal::Taken => Self::new("taken", "There is already an account with this address."),
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
        }
    }
}

impl From<NoName> for Phrase {
    fn from(why: NoName) -> Self {
        let code = match why {
            NoName::Empty => "empty",
            NoName::TooLong => "too-long",
            NoName::Unprintable => "unprintable",
            NoName::Link => "link",
        };
        Self::with(code, why.to_string())
    }
}

impl From<NoEmail> for Phrase {
    fn from(why: NoEmail) -> Self {
        Self::with("no-email", why.to_string())
    }
}

impl From<Weak> for Phrase {
    fn from(why: Weak) -> Self {
        let code = match why {
            Weak::TooShort { .. } => "too-short",
            Weak::TooLong { .. } => "too-long",
            Weak::TooManyBytes { .. } => "too-many-bytes",
            Weak::Listed => "listed",
            Weak::Repeats => "repeats",
            Weak::Pattern => "pattern",
            Weak::PaddedWord => "padded-word",
            Weak::AboutYou => "about-you",
        };
        Self::with(code, why.to_string())
    }
}

impl From<Wait> for Phrase {
    fn from(wait: Wait) -> Self {
        Self::with("too-many", wait.to_string())
    }
}
