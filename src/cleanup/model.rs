//! What each clean-up of an account removes and what it keeps, and why: one function that the program applies, the
//! documentation prints (docs/security.md), and the tests check cell by cell.

/// An operation that ends or undoes something in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    LogOut,
    EndSession,
    EndOthers,
    NewPassword,
    Reset,
    ReportSession,
    UndoEmail,
    UndoFactor,
    Unlock,
    AdminEndsSession,
    AdminEndsAll,
    Disable,
    DisableAndEnable,
    Demote,
    ResetFactors,
    EndAllSessions,
    Delete,
}

/// Something that a session can create or leave in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// The session that left all of the following.
    Session,
    SessionInSameBrowser,
    SessionInOtherBrowser,
    /// A key of the session for an app behind Latchkey, or a code that is exchanged for one.
    AppKey,
    /// The same for another session, including the one that requested the clean-up.
    AppKeyOfOtherSession,
    /// An access token that the session created.
    Token,
    /// One that the operator created, or a session that has ended since.
    OlderToken,
    KnownDevice,
    PendingLogin,
    OpenForm,
    PasskeyCeremony,
    PendingEmailChange,
    ChangedAddress,
    /// Links to undo changes and to report sessions, mailed to the changed address.
    LinksToChangedAddress,
    NewPassword,
    ResetLink,
    UnlockLink,
    AuthenticatorApp,
    Passkey,
    RecoveryCodes,
    /// The choice that the password alone logs in, although the user has a passkey.
    PasskeyStepOff,
    Invitation,
    /// Links to undo changes, mailed to the owner.
    OwnersUndoLinks,
}

/// What a clean-up does to an artifact, and the reason as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Removed(&'static str),
    /// Does not work while the account is disabled, and works again when it is enabled.
    Suspended(&'static str),
    Kept(&'static str),
}

/// Which sessions of the account a clean-up ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    None,
    One,
    /// Every session except the one that requested it.
    Others,
    All,
}

impl Cleanup {
    pub const ALL: &[Self] = &[
        Self::LogOut,
        Self::EndSession,
        Self::EndOthers,
        Self::NewPassword,
        Self::Reset,
        Self::ReportSession,
        Self::UndoEmail,
        Self::UndoFactor,
        Self::Unlock,
        Self::AdminEndsSession,
        Self::AdminEndsAll,
        Self::Disable,
        Self::DisableAndEnable,
        Self::Demote,
        Self::ResetFactors,
        Self::EndAllSessions,
        Self::Delete,
    ];

    /// The command of the operator that does the same.
    pub fn command(self) -> Option<&'static str> {
        match self {
            Self::Unlock => Some("user unlock"),
            Self::AdminEndsSession => Some("session revoke HANDLE"),
            Self::Disable => Some("user disable"),
            Self::DisableAndEnable => Some("user disable, user enable"),
            Self::Demote => Some("user demote"),
            Self::ResetFactors => Some("user reset-factors"),
            Self::EndAllSessions => Some("session revoke --everybody"),
            _ => None,
        }
    }

    pub fn session_scope(self) -> SessionScope {
        match self {
            Self::Unlock | Self::Demote | Self::ResetFactors => SessionScope::None,
            Self::LogOut | Self::EndSession | Self::AdminEndsSession => SessionScope::One,
            Self::EndOthers | Self::NewPassword => SessionScope::Others,
            Self::Reset
            | Self::ReportSession
            | Self::UndoEmail
            | Self::UndoFactor
            | Self::AdminEndsAll
            | Self::Disable
            | Self::DisableAndEnable
            | Self::EndAllSessions
            | Self::Delete => SessionScope::All,
        }
    }

    /// Whether the owner reports an intruder, who may know the password.
    fn reports_intruder(self) -> bool {
        matches!(self, Self::ReportSession | Self::UndoEmail | Self::UndoFactor)
    }
}

impl Artifact {
    pub const ALL: &[Self] = &[
        Self::Session,
        Self::SessionInSameBrowser,
        Self::SessionInOtherBrowser,
        Self::AppKey,
        Self::AppKeyOfOtherSession,
        Self::Token,
        Self::OlderToken,
        Self::KnownDevice,
        Self::PendingLogin,
        Self::OpenForm,
        Self::PasskeyCeremony,
        Self::PendingEmailChange,
        Self::ChangedAddress,
        Self::LinksToChangedAddress,
        Self::NewPassword,
        Self::ResetLink,
        Self::UnlockLink,
        Self::AuthenticatorApp,
        Self::Passkey,
        Self::RecoveryCodes,
        Self::PasskeyStepOff,
        Self::Invitation,
        Self::OwnersUndoLinks,
    ];
}

impl Effect {
    pub fn is_removed(self) -> bool {
        matches!(self, Self::Removed(_))
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::Removed(why) | Self::Suspended(why) | Self::Kept(why) => why,
        }
    }
}

const DISABLED: &str = "It does not work while the account is disabled.";
const TAKEN_BACK_BY_LETTER: &str = "The email about it has a link that undoes it.";

/// What `cleanup` does to `artifact`.
pub fn effect(cleanup: Cleanup, artifact: Artifact) -> Effect {
    if cleanup == Cleanup::DisableAndEnable {
        return match effect(Cleanup::Disable, artifact) {
            Effect::Suspended(_) => {
                Effect::Kept("Disabling only stops it; it works again in the enabled account.")
            }
            other => other,
        };
    }
    match artifact {
        Artifact::Session => session(cleanup, "The clean-up ends it."),
        Artifact::OpenForm => session(cleanup, "A form is refused after its session has ended."),
        Artifact::PasskeyCeremony => {
            session(cleanup, "The response is accepted only in the session that started it.")
        }
        Artifact::SessionInSameBrowser | Artifact::SessionInOtherBrowser => other_session(cleanup),
        Artifact::AppKey => app_key(cleanup),
        Artifact::AppKeyOfOtherSession => match cleanup.session_scope() {
            SessionScope::One => other_session(cleanup),
            SessionScope::Others => Effect::Removed(
                "A stolen key may be one of the session that stays; the next visit to the app opens a new one.",
            ),
            SessionScope::None | SessionScope::All => app_key(cleanup),
        },
        Artifact::Token => token(cleanup),
        Artifact::OlderToken => older_token(cleanup),
        Artifact::KnownDevice => known_device(cleanup),
        Artifact::PendingLogin => pending_login(cleanup),
        Artifact::PendingEmailChange => email_change(cleanup),
        Artifact::ChangedAddress => changed_address(cleanup),
        Artifact::LinksToChangedAddress => match cleanup {
            Cleanup::UndoEmail => {
                Effect::Removed("Links that were mailed to that address since are deleted.")
            }
            Cleanup::Disable => Effect::Suspended(DISABLED),
            _ => Effect::Kept("Such a link can only undo something; \"undo email\" deletes it."),
        },
        Artifact::NewPassword => password(cleanup),
        Artifact::ResetLink => match cleanup {
            Cleanup::NewPassword | Cleanup::Reset => Effect::Removed("It is older than the new password."),
            Cleanup::Disable | Cleanup::Delete => Effect::Removed("The account does not need it any more."),
            reporting if reporting.reports_intruder() => Effect::Removed("A new link replaces it."),
            _ => Effect::Kept(
                "It was mailed to the account's address, expires soon, and ends every session when used.",
            ),
        },
        Artifact::UnlockLink => match cleanup {
            Cleanup::Unlock | Cleanup::NewPassword | Cleanup::Reset => {
                Effect::Removed("The password is not locked any more.")
            }
            Cleanup::Disable | Cleanup::Delete => Effect::Removed("The account does not need it any more."),
            reporting if reporting.reports_intruder() => Effect::Removed("There is no password to unlock."),
            _ => Effect::Kept("It only resets the count of wrong passwords."),
        },
        Artifact::AuthenticatorApp | Artifact::Passkey | Artifact::RecoveryCodes => factor(cleanup),
        Artifact::PasskeyStepOff => match factor(cleanup) {
            Effect::Removed(_) if cleanup != Cleanup::ResetFactors => {
                Effect::Removed("The earlier choice applies again: the passkey is required.")
            }
            other => other,
        },
        Artifact::Invitation => invitation(cleanup),
        Artifact::OwnersUndoLinks => match cleanup {
            Cleanup::Disable => Effect::Suspended(DISABLED),
            _ => Effect::Kept(
                "The owner needs them to undo what an attacker did, so nothing that an attacker can do removes them.",
            ),
        },
    }
}

/// For clean-ups that end no session.
fn untouched(cleanup: Cleanup) -> Effect {
    Effect::Kept(match cleanup {
        Cleanup::Demote => "A demotion changes the role in every session, from the next request on.",
        Cleanup::ResetFactors => "It only removes second factors, for an owner who lost them.",
        _ => "Unlocking only resets the count of wrong passwords.",
    })
}

fn session(cleanup: Cleanup, goes: &'static str) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None => untouched(cleanup),
        SessionScope::One | SessionScope::Others | SessionScope::All => Effect::Removed(goes),
    }
}

fn other_session(cleanup: Cleanup) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None => untouched(cleanup),
        SessionScope::One => Effect::Kept("Only one session ends; the list of sessions shows the others."),
        SessionScope::Others => Effect::Removed("Every session ends except the one that requested it."),
        SessionScope::All => Effect::Removed("Every session ends."),
    }
}

/// App keys end in every clean-up. If its session lives, a browser gets a new key without asking the user.
fn app_key(cleanup: Cleanup) -> Effect {
    Effect::Removed(match cleanup.session_scope() {
        SessionScope::None => "The session stays, and the next visit to the app opens a new key.",
        SessionScope::One | SessionScope::Others | SessionScope::All => "It ends with its session.",
    })
}

/// A session begins with exactly one log-in, so if it is suspect, so are the tokens that it created.
fn token(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::LogOut => Effect::Kept("Programs keep working when their user closes the browser."),
        Cleanup::EndSession | Cleanup::AdminEndsSession | Cleanup::EndOthers | Cleanup::NewPassword => {
            Effect::Removed("It is revoked with the session that created it.")
        }
        _ => older_token(cleanup),
    }
}

fn older_token(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::Demote => Effect::Removed("It is revoked if one of its scopes needs the lost role."),
        Cleanup::NewPassword => Effect::Removed("It is revoked, unless the operator created it."),
        _ => match cleanup.session_scope() {
            SessionScope::None => untouched(cleanup),
            SessionScope::One | SessionScope::Others => Effect::Kept(
                "Only the tokens of the ended sessions are revoked; the list of tokens shows the others.",
            ),
            SessionScope::All => Effect::Removed("Every token is revoked."),
        },
    }
}

fn known_device(cleanup: Cleanup) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None => untouched(cleanup),
        SessionScope::One if cleanup == Cleanup::LogOut => {
            Effect::Kept("The browser stays a known device for the next log-in.")
        }
        SessionScope::One => Effect::Removed("The browser of the ended session is forgotten."),
        SessionScope::Others | SessionScope::All => {
            Effect::Removed("Every browser is forgotten, except the one that requested the clean-up.")
        }
    }
}

fn pending_login(cleanup: Cleanup) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None if cleanup == Cleanup::ResetFactors => {
            Effect::Removed("Without a second factor there is no second step.")
        }
        SessionScope::None => untouched(cleanup),
        SessionScope::One => {
            Effect::Kept("It belongs to no session, needs a second factor and lasts ten minutes.")
        }
        SessionScope::Others | SessionScope::All => {
            Effect::Removed("Every log-in that waits for its second step is cancelled.")
        }
    }
}

fn email_change(cleanup: Cleanup) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None => untouched(cleanup),
        SessionScope::One => Effect::Removed("Its link works only until the session that requested it ends."),
        SessionScope::Others if cleanup == Cleanup::EndOthers => {
            Effect::Removed("It is cancelled unless the remaining session requested it.")
        }
        SessionScope::Others | SessionScope::All => Effect::Removed("It is cancelled."),
    }
}

fn changed_address(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::UndoEmail => Effect::Removed("The old address is restored."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        _ => Effect::Kept("The email to the old address has a link that undoes the change."),
    }
}

fn password(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::NewPassword | Cleanup::Reset => Effect::Removed("The new password replaces it."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        reporting if reporting.reports_intruder() => Effect::Removed(
            "An attacker may know it, so the account has no password until the owner sets one with a mailed link.",
        ),
        _ => Effect::Kept("The clean-up does not change the password."),
    }
}

fn factor(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::ReportSession => {
            Effect::Removed("What was added since the reported session was opened is removed.")
        }
        Cleanup::UndoEmail => Effect::Removed("What was added since the change was requested is removed."),
        Cleanup::UndoFactor => Effect::Removed("What was added since the email about it is removed."),
        Cleanup::ResetFactors => Effect::Removed("The operator removes every second factor."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        Cleanup::NewPassword | Cleanup::Reset => Effect::Kept(
            "A new password keeps second factors; otherwise access to the inbox would be enough to remove them.",
        ),
        _ => Effect::Kept(TAKEN_BACK_BY_LETTER),
    }
}

fn invitation(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::Demote | Cleanup::Disable | Cleanup::Delete => {
            Effect::Removed("Invitations end when their sender is no longer an administrator.")
        }
        reporting if reporting.reports_intruder() => {
            Effect::Removed("Open invitations that were sent since are withdrawn.")
        }
        _ => Effect::Kept("Administrators can withdraw it at `/admin/invitations`."),
    }
}

#[cfg(test)]
mod tests;
