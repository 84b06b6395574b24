//! The messages that a page can leave for the next one. No name that is not on this list is shown.

use actix_web::cookie::time::Duration;

macro_rules! flashes {
    ($($name:ident = $code:literal, $kind:literal, $text:literal);* $(;)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flash { $($name),* }

        impl Flash {
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            pub(super) fn parse(name: &str) -> Option<Self> {
                match name { $($code => Some(Self::$name),)* _ => None }
            }

            /// How long it waits for the next page. A user takes longer to confirm than a browser to follow a redirect.
            pub(super) fn lifetime(self) -> Duration {
                Duration::minutes(if self == Self::ConfirmThenAgain { 10 } else { 1 })
            }

            pub fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind),* }
            }

            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

flashes! {
    Verified = "verified", "good", "Your address is confirmed. Log in to begin.";
    RegistrationPassword = "registration-password", "warn", "This is not the browser you registered in, so enter the password you chose.";
    RegistrationDropped = "registration-dropped", "good", "That registration is dropped. Register with a password of your own.";
    InvitedRegistrationDropped = "invited-registration-dropped", "good", "That registration is dropped. Open the link in your invitation again, and choose a password of your own.";
    SetUp = "set-up", "good", "You are the first administrator. Log in to begin.";
    LoggedOut = "logged-out", "good", "You are logged out.";
    PasswordReset = "password-reset", "good", "Your new password is set and every device is logged out. Log in with it.";
    PasswordChanged = "password-changed", "good", "Your password is changed. Every other device is logged out.";
    Unlocked = "unlocked", "good", "Your password is unlocked. Log in.";
    FactorUndone = "factor-undone", "good", "What was changed is taken back, and every session is ended. A link to set a new password is on its way to you.";
    NotMe = "not-me", "good", "Everyone is logged out, and your password no longer works. A link to set a new one is on its way to you.";
    NotMeElsewhere = "not-me-elsewhere", "warn", "Everyone is logged out, and the password no longer works. But your account has another address now: take yours back with the link in our letter “Your e-mail address was changed”.";
    EmailAsked = "email-asked", "good", "A link is on its way to the new address. Until it is opened, nothing changes. Stay logged in here until then.";
    EmailCancelled = "email-cancelled", "good", "The change of your e-mail address is cancelled. Nothing changes.";
    EmailSentAgain = "email-sent-again", "good", "A new link is on its way to the new address. The link before it no longer works.";
    NoEmailPending = "no-email-pending", "warn", "No change of your e-mail address is pending any more. Request it again if you want to.";
    EmailChanged = "email-changed", "good", "Your e-mail address is changed. From now on you log in with the new one.";
    EmailRestored = "email-restored", "good", "Your old address counts again, and everyone is logged out. A link to set a new password is on its way to it.";
    NameChanged = "name-changed", "good", "Your name is changed.";
    SessionEnded = "session-ended", "good", "That session is over.";
    OthersEnded = "others-ended", "good", "You are logged out everywhere else.";
    NoOthers = "no-others", "warn", "There was no other session to end.";
    RoleChanged = "role-changed", "good", "The role is changed. It counts from their next click.";
    Disabled = "disabled", "good", "The account is disabled and logged out everywhere.";
    Enabled = "enabled", "good", "The account is enabled.";
    AllEnded = "all-ended", "good", "They are logged out everywhere.";
    ResetSent = "reset-sent", "good", "A reset link is on its way to them.";
    Invited = "invited", "good", "The invitation is on its way.";
    Withdrawn = "withdrawn", "good", "The invitation is withdrawn.";
    LogInExpired = "log-in-expired", "warn", "That took too long or too many codes, or your account was changed meanwhile. Log in once more.";
    TotpAdded = "totp-added", "good", "Your authenticator app is set up. From now on, logging in asks for its code after your password.";
    TotpOnAlready = "totp-on-already", "warn", "Your authenticator app is set up already. Remove it first to use another.";
    TotpExpired = "totp-expired", "warn", "Setting up your authenticator app took too long. Start once more.";
    TotpRemoved = "totp-removed", "good", "Your authenticator app is removed. Delete Latchkey in the app as well.";
    NoFactor = "no-factor", "warn", "Recovery codes stand in for a second step after the password, and your account asks for no second step. Set one up first.";
    CodesUnknown = "codes-unknown", "warn", "Those recovery codes have been used or replaced. Make new ones.";
    CodesShown = "codes-shown", "warn", "Recovery codes are shown once, and yours have been shown. If you did not keep them, make new ones.";
    PasskeyAdded = "passkey-added", "good", "Your passkey is added. From now on it logs you in.";
    PasskeyRequired = "passkey-required", "good", "Your passkey is added. It logs you in by itself, and from now on your password asks for it as well.";
    PasskeyOptional = "passkey-optional", "good", "Your passkey is added. From now on it logs you in, and so does your password alone.";
    StepRequired = "step-required", "good", "From now on, logging in with your password also asks for a passkey.";
    StepOff = "step-off", "good", "Your password alone logs you in again. We have emailed you about it.";
    StepUnchanged = "step-unchanged", "warn", "Nothing was changed, because your account has changed since you opened that page. See below how you log in now.";
    PasskeyRenamed = "passkey-renamed", "good", "Your passkey has its new name.";
    PasskeyRemoved = "passkey-removed", "good", "That passkey lets nobody in here any more. You can delete it from the device as well.";
    Leaving = "leaving", "good", "You are logged out everywhere, and your account will be deleted. Log in again to keep it; we wrote you until when.";
    Restored = "restored", "good", "Welcome back. Your account stays: it is no longer going to be deleted.";
    LabEnded = "lab-ended", "good", "The run has ended, and its data is deleted.";
    LabOver = "lab-over", "warn", "That run has ended: a run lasts 30 minutes or 300 steps. Start another one.";
    ConfirmThenAgain = "confirm-then-again", "warn", "You are confirmed. Nothing was changed yet: do once more what you were doing.";
    ConfirmedNotSent = "confirmed-not-sent", "warn", "You are confirmed. Nothing was changed yet: check the form and send it again.";
    OutOfDate = "out-of-date", "warn", "This page was out of date, so nothing was changed. Check what you typed and send it again.";
    LoggedInAlready = "logged-in-already", "warn", "You are logged in already, in another tab of this browser. To use another account, log out first.";
    NotSent = "not-sent", "warn", "You are not logged in, so nothing was changed. Log in, then do it again.";
    SessionLost = "session-lost", "warn", "Something else happened in this session meanwhile, so nothing was changed. Try again.";
}
