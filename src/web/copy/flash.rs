//! The messages that a page can leave for the next one. No name that is not on this list is shown.

use actix_web::cookie::time::Duration;

use super::phrase::Phrase;

macro_rules! flashes {
    ($($name:ident = $code:literal, $kind:literal, $text:literal);* $(;)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flash { $($name),* }

        impl Flash {
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// How long it waits for the next page. A user takes longer to confirm than a browser to follow a redirect.
            pub fn lifetime(self) -> Duration {
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
    Verified = "verified", "good", "Your email is confirmed. Log in to get started.";
    RegistrationPassword = "registration-password", "warn", "This isn't the browser you registered in. Enter the password you chose.";
    RegistrationDropped = "registration-dropped", "good", "That registration has been discarded. Register with your own password.";
    InvitedRegistrationDropped = "invited-registration-dropped", "good", "That registration has been discarded. Open the link in your invitation again and choose your own password.";
    SetUp = "set-up", "good", "You're the first administrator. Log in to get started.";
    LoggedOut = "logged-out", "good", "You're logged out.";
    PasswordReset = "password-reset", "good", "Your new password has been set and all your sessions have ended. Log in with the new password.";
    PasswordChanged = "password-changed", "good", "Your password has been changed. All your other sessions have ended.";
    Unlocked = "unlocked", "good", "Your password is unlocked. You can log in now.";
    FactorUndone = "factor-undone", "good", "The changes have been undone, all your sessions have ended, and your password is blocked. We've emailed you a link to set a new one.";
    NotMe = "not-me", "good", "All your sessions have ended and your password is blocked. We've emailed you a link to set a new one.";
    NotMeElsewhere = "not-me-elsewhere", "warn", "All your sessions have ended and your password is blocked. But your account now has a different email address. To get yours back, use the link in our email about that change.";
    EmailAsked = "email-asked", "good", "We've emailed a link to the new address. Nothing changes until you open it. Stay logged in here until then.";
    EmailCancelled = "email-cancelled", "good", "The change of your email address has been cancelled.";
    EmailSentAgain = "email-sent-again", "good", "We've emailed a new link to the new address. The previous link no longer works.";
    NoEmailPending = "no-email-pending", "warn", "There is no longer a pending change of your email address. Request it again if you still want it.";
    EmailChanged = "email-changed", "good", "Your email address has been changed. From now on, log in with the new one.";
    EmailRestored = "email-restored", "good", "Your old email address has been restored, all your sessions have ended, and your password is blocked. We've emailed you a link to set a new one.";
    NameChanged = "name-changed", "good", "Your name has been changed.";
    SessionEnded = "session-ended", "good", "That session has ended.";
    OthersEnded = "others-ended", "good", "All your other sessions have ended.";
    NoOthers = "no-others", "warn", "There were no other sessions to end.";
    TokenRevoked = "token-revoked", "good", "The token has been revoked. No program can use it any more.";
    RoleChanged = "role-changed", "good", "The role has been changed. It takes effect on their next request.";
    Disabled = "disabled", "good", "The account has been disabled and all its sessions have ended.";
    Enabled = "enabled", "good", "The account has been enabled.";
    AllEnded = "all-ended", "good", "All their sessions have ended.";
    ResetSent = "reset-sent", "good", "We've emailed them a reset link.";
    Invited = "invited", "good", "We've emailed the invitation.";
    Withdrawn = "withdrawn", "good", "The invitation has been withdrawn.";
    AppAdded = "app-added", "good", "The app has been added. Check its rules, then open it.";
    AppChanged = "app-changed", "good", "The settings have been saved.";
    AppEnabled = "app-enabled", "good", "The app has been enabled.";
    AppDisabled = "app-disabled", "good", "The app has been disabled. No one can reach it now.";
    AppRemoved = "app-removed", "good", "The app has been removed.";
    AppLeft = "app-left", "good", "That browser no longer has access to the app. While its session lasts, opening the app again restores access.";
    RuleAdded = "rule-added", "good", "The rule has been added and takes effect immediately.";
    RuleMoved = "rule-moved", "good", "The rule has been moved. The new order takes effect immediately.";
    RuleRemoved = "rule-removed", "good", "The rule has been removed.";
    PresetAdded = "preset-added", "good", "Everyone can now read the manifest, icons and robots.txt.";
    GroupCreated = "group-created", "good", "The group has been created. Add its members.";
    GroupChanged = "group-changed", "good", "The note has been saved.";
    GroupDeleted = "group-deleted", "good", "The group has been deleted.";
    MemberAdded = "member-added", "good", "The user is now a member. The change takes effect on their next request.";
    MemberAlready = "member-already", "warn", "The user is already a member.";
    MemberRemoved = "member-removed", "good", "The user is no longer a member. The change takes effect on their next request.";
    LogInExpired = "log-in-expired", "warn", "That took too long, there were too many wrong codes, or your account changed in the meantime. Log in again.";
    TotpAdded = "totp-added", "good", "Your authenticator app is set up. From now on, we'll ask for a code from it after your password.";
    TotpOnAlready = "totp-on-already", "warn", "Your authenticator app is already set up. To use another one, remove it first.";
    TotpExpired = "totp-expired", "warn", "Setting up your authenticator app took too long. Start again.";
    TotpRemoved = "totp-removed", "good", "Your authenticator app has been removed. You can delete Latchkey in the app as well.";
    NoFactor = "no-factor", "warn", "Recovery codes replace the second step, and your account doesn't ask for one. Set up a second step first.";
    CodesUnknown = "codes-unknown", "warn", "Those recovery codes have been used or replaced. Create new ones.";
    CodesShown = "codes-shown", "warn", "We show recovery codes only once, and yours have been shown. If you didn't save them, create new ones.";
    PasskeyAdded = "passkey-added", "good", "Your passkey has been added. You can log in with it from now on.";
    PasskeyRequired = "passkey-required", "good", "Your passkey has been added. It logs you in by itself, and from now on we'll also ask for it after your password.";
    PasskeyOptional = "passkey-optional", "good", "Your passkey has been added. You can log in with it or with your password alone.";
    StepRequired = "step-required", "good", "From now on, we'll also ask for a passkey after your password.";
    StepOff = "step-off", "good", "Your password alone logs you in again. We've emailed you about it.";
    StepUnchanged = "step-unchanged", "warn", "Nothing was changed, because your account has changed since you opened that page. Below is how you log in now.";
    PasskeyRenamed = "passkey-renamed", "good", "Your passkey has been renamed.";
    PasskeyRemoved = "passkey-removed", "good", "Your passkey has been removed and no longer logs you in. You can delete it from your device as well.";
    Leaving = "leaving", "good", "All your sessions have ended and your account will be deleted. To keep it, log in before the date in our email.";
    Restored = "restored", "good", "Welcome back. Your account will not be deleted.";
    LabEnded = "lab-ended", "good", "The run has ended, and its data has been deleted.";
    LabOver = "lab-over", "warn", "That run has ended: a run lasts 30 minutes or 300 steps. Start another one.";
    ConfirmThenAgain = "confirm-then-again", "warn", "You've confirmed it's you. Nothing has been changed yet: do what you were doing again.";
    ConfirmedNotSent = "confirmed-not-sent", "warn", "You've confirmed it's you. Nothing has been changed yet: check the form and submit it again.";
    OutOfDate = "out-of-date", "warn", "This page was out of date, so nothing was changed. Check what you typed and submit it again.";
    LoggedInAlready = "logged-in-already", "warn", "You're already logged in, in another tab of this browser. To use another account, log out first.";
    NotSent = "not-sent", "warn", "You're not logged in, so nothing was changed. Log in, then do it again.";
    SessionLost = "session-lost", "warn", "Something else changed in this session at the same time, so nothing was changed. Try again.";
}

impl From<Flash> for Phrase {
    fn from(flash: Flash) -> Self {
        Self::new(flash.code(), flash.text())
    }
}
