//! The emails of Latchkey as data. `web` writes the sentences, through the [`MailWriter`] that is passed in at start.

use time::OffsetDateTime;

use crate::config::{Origin, Span};
use crate::db::Fault;
use crate::identity::{Client, Email, Role, UserId};
use crate::mail::MailContent;
use crate::notices::link::MailedLink;

/// An email. No field contains text that a person typed, except for email addresses: strangers, and thieves with a
/// session, can cause most emails, and such a text would be theirs ("Hello Locked! Unlock at https://…").
pub enum Mail<'a> {
    /// To a user who registered.
    VerifyEmail(MailedLink),
    /// To the owner of an address that was registered once more.
    AlreadyRegistered,
    ResetPassword(MailedLink),
    /// To the new address of a user.
    ConfirmEmail(MailedLink),
    /// From an administrator, to a person without an account.
    Invitation(MailedLink),
    /// About an event at an account: when and from where it happened.
    Notice {
        notice: &'a Notice<'a>,
        at: OffsetDateTime,
        client: &'a Client,
    },
}

/// Writes the subject and both parts of an email. Links to pages begin with the origin.
pub type MailWriter = fn(&Origin, &Mail<'_>) -> Result<MailContent, Fault>;

/// A [`MailWriter`] for an instance that never sends email.
pub fn write_nothing(_: &Origin, _: &Mail<'_>) -> Result<MailContent, Fault> {
    Ok(MailContent::default())
}

/// An event that the owner of an account is told about, regardless of who caused it (NIST SP 800-63B-4 §4.6; ASVS 5.0
/// 6.3.5, 6.3.7).
pub enum Notice<'a> {
    /// `not_me` ends the session that changed it and undoes what was added since that session was opened.
    PasswordChanged {
        not_me: MailedLink,
    },
    /// Set through a mailed link.
    PasswordReset,
    /// To the old address; `undo` restores it.
    EmailChanged {
        new: &'a Email,
        undo: MailedLink,
    },
    /// To the current address. `new` is masked, so that a reader of this inbox does not learn it before it is confirmed.
    /// `not_me` cancels the change and cleans up.
    EmailChangeAsked {
        new: String,
        not_me: MailedLink,
    },
    /// A user asked to change their address to this one, which is the address of another account.
    EmailWanted,
    /// The same, while the address is reserved for the account that had it before.
    AddressReserved {
        until: OffsetDateTime,
    },
    /// The account is deleted at `until` unless its owner logs in.
    Leaving {
        until: OffsetDateTime,
    },
    FactorAdded {
        factor: AddedFactor,
        undo: MailedLink,
    },
    FactorRemoved(RemovedFactor),
    /// The password alone logs in from now on, although there is a passkey.
    PasskeyStepOff {
        undo: MailedLink,
    },
    /// `not_me` ends the session that created it, and every token; `None` if the operator created it.
    TokenCreated {
        /// The scopes for the API; empty: it opens one app.
        api_scopes: Vec<&'static str>,
        expires_at: OffsetDateTime,
        not_me: Option<MailedLink>,
    },
    /// After so many wrong codes, codes are no longer checked.
    FactorLocked {
        failures: i32,
    },
    /// The counter of a passkey went back. Sent once for each passkey; its page marks the passkey.
    PasskeyCopied,
    /// Few recovery codes are left.
    RecoveryCodesLow {
        left: usize,
    },
    /// `not_me` ends the new session. `ended_oldest`: the limit of sessions, if the oldest one was ended for it.
    NewDevice {
        not_me: MailedLink,
        ended_oldest: Option<i64>,
    },
    /// The right password in a new browser, and no second step `within` the time limit.
    SecondStepMissing {
        within: Span,
    },
    /// Sent each time when waiting begins; `unlock` ends it.
    RepeatedFailures {
        failures: i32,
        unlock: MailedLink,
    },
    /// To every administrator: a program changed `user`, with a token of the administrator `by`.
    ChangedByProgram {
        user: UserId,
        email: &'a Email,
        change: ProgramChange,
        by: &'a Email,
    },
    /// After so many wrong passwords, none is checked: from unknown browsers, or in one known browser.
    PasswordLocked {
        failures: i32,
        unknown_browser: bool,
        unlock: MailedLink,
    },
}

/// A change by a program that every administrator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramChange {
    Role(Role),
    /// An administrator was disabled.
    Disabled,
    /// An administrator was enabled.
    Enabled,
}

/// A way to log in that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddedFactor {
    AuthenticatorApp,
    Passkey,
    /// A first passkey, which is also required after the password.
    PasskeyRequired,
    /// A first passkey; the password alone still logs in.
    PasskeyOptional,
    /// An existing passkey, now required after the password.
    PasskeyStep,
    RecoveryCodes,
}

/// A way to log in that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovedFactor {
    AuthenticatorApp,
    Passkey,
    /// By the operator.
    EverySecondFactor,
}
