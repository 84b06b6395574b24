//! What each clean-up of an account removes and what it leaves, and why: one function that the program carries out, the
//! documentation prints (docs/security.md) and the tests try cell by cell.

/// An operation that takes something away from whoever should not have it.
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

/// Something a session can begin or leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// The session that left everything below.
    Session,
    SessionInSameBrowser,
    SessionInOtherBrowser,
    KnownDevice,
    PendingLogin,
    OpenForm,
    PasskeyCeremony,
    PendingEmailChange,
    ChangedAddress,
    /// Undo links and "this was not me", mailed to the changed address.
    LinksToChangedAddress,
    NewPassword,
    ResetLink,
    UnlockLink,
    AuthenticatorApp,
    Passkey,
    RecoveryCodes,
    /// The choice that the password alone logs in, although there is a passkey.
    PasskeyStepOff,
    Invitation,
    /// The links that were mailed to the owner, to take something back.
    OwnersUndoLinks,
}

/// What a clean-up does to a artifact, and why: a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Removed(&'static str),
    /// It does not work while the account is disabled, and works again once it is enabled.
    Suspended(&'static str),
    Kept(&'static str),
}

/// Which sessions of the account a clean-up ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    None,
    One,
    /// Every session but the one that carries it out.
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

    /// Whether the owner says that somebody else was in the account: that person may know the password.
    fn reports_intruder(self) -> bool {
        matches!(self, Self::ReportSession | Self::UndoEmail | Self::UndoFactor)
    }
}

impl Artifact {
    pub const ALL: &[Self] = &[
        Self::Session,
        Self::SessionInSameBrowser,
        Self::SessionInOtherBrowser,
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
const TAKEN_BACK_BY_LETTER: &str = "The letter about it has a link that takes it back.";

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
        Artifact::OpenForm => session(cleanup, "A form is refused once its session has ended."),
        Artifact::PasskeyCeremony => {
            session(cleanup, "The answer of the passkey needs the session that asked.")
        }
        Artifact::SessionInSameBrowser | Artifact::SessionInOtherBrowser => other_session(cleanup),
        Artifact::KnownDevice => known_device(cleanup),
        Artifact::PendingLogin => pending_login(cleanup),
        Artifact::PendingEmailChange => email_change(cleanup),
        Artifact::ChangedAddress => changed_address(cleanup),
        Artifact::LinksToChangedAddress => match cleanup {
            Cleanup::UndoEmail => {
                Effect::Removed("Links that were mailed to the other address since are deleted.")
            }
            Cleanup::Disable => Effect::Suspended(DISABLED),
            _ => Effect::Kept("Such a link only takes something back; undo email deletes it."),
        },
        Artifact::NewPassword => password(cleanup),
        Artifact::ResetLink => match cleanup {
            Cleanup::NewPassword | Cleanup::Reset => Effect::Removed("It is older than the new password."),
            Cleanup::Disable | Cleanup::Delete => Effect::Removed("The account has no use for it any more."),
            reporting if reporting.reports_intruder() => Effect::Removed("A new link replaces it."),
            _ => Effect::Kept(
                "It went to the account's address, expires soon, and ends every session when used.",
            ),
        },
        Artifact::UnlockLink => match cleanup {
            Cleanup::Unlock | Cleanup::NewPassword | Cleanup::Reset => {
                Effect::Removed("Nothing is locked any more.")
            }
            Cleanup::Disable | Cleanup::Delete => Effect::Removed("The account has no use for it any more."),
            reporting if reporting.reports_intruder() => {
                Effect::Removed("There is no password left to unlock.")
            }
            _ => Effect::Kept("It only resets the count of wrong passwords."),
        },
        Artifact::AuthenticatorApp | Artifact::Passkey | Artifact::RecoveryCodes => factor(cleanup),
        Artifact::PasskeyStepOff => match factor(cleanup) {
            Effect::Removed(_) if cleanup != Cleanup::ResetFactors => {
                Effect::Removed("What was chosen before counts again: the passkey is asked for.")
            }
            other => other,
        },
        Artifact::Invitation => invitation(cleanup),
        Artifact::OwnersUndoLinks => match cleanup {
            Cleanup::Disable => Effect::Suspended(DISABLED),
            _ => Effect::Kept("They are the owner's way back, so nothing that a thief can do removes them."),
        },
    }
}

/// For clean-ups that end no session.
fn untouched(cleanup: Cleanup) -> Effect {
    Effect::Kept(match cleanup {
        Cleanup::Demote => "A demotion changes the role, for every session from its next request on.",
        Cleanup::ResetFactors => "It helps an owner who lost the second factor, and only removes factors.",
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
        SessionScope::One => Effect::Kept("One session ends; the list of sessions shows the others."),
        SessionScope::Others => Effect::Removed("Every session ends but the one that asked."),
        SessionScope::All => Effect::Removed("Every session ends."),
    }
}

fn known_device(cleanup: Cleanup) -> Effect {
    match cleanup.session_scope() {
        SessionScope::None => untouched(cleanup),
        SessionScope::One if cleanup == Cleanup::LogOut => {
            Effect::Kept("A browser stays known for the next log-in in it.")
        }
        SessionScope::One => Effect::Removed("The browser of a session that was ended is forgotten."),
        SessionScope::Others | SessionScope::All => Effect::Removed(
            "Every browser is forgotten, except the one in which the clean-up is carried out.",
        ),
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
        SessionScope::One => {
            Effect::Removed("Its link works only while the session that asked has not been ended.")
        }
        SessionScope::Others if cleanup == Cleanup::EndOthers => {
            Effect::Removed("It is cancelled unless the session that remains has asked for it.")
        }
        SessionScope::Others | SessionScope::All => Effect::Removed("It is cancelled."),
    }
}

fn changed_address(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::UndoEmail => Effect::Removed("The account goes by the old address again."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        _ => Effect::Kept("The letter to the old address has a link that takes the change back."),
    }
}

fn password(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::NewPassword | Cleanup::Reset => Effect::Removed("The new password replaces it."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        reporting if reporting.reports_intruder() => Effect::Removed(
            "Someone else may know it, so the account has no password until its owner sets one by mail.",
        ),
        _ => Effect::Kept("The clean-up does not change the password."),
    }
}

fn factor(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::ReportSession => Effect::Removed("What was added since that session was opened is removed."),
        Cleanup::UndoEmail => Effect::Removed("What was added since the change was requested is removed."),
        Cleanup::UndoFactor => Effect::Removed("What was added since the letter is removed."),
        Cleanup::ResetFactors => Effect::Removed("The operator removes every second factor."),
        Cleanup::Disable => Effect::Suspended(DISABLED),
        Cleanup::NewPassword | Cleanup::Reset => {
            Effect::Kept("A new password keeps second factors, or the inbox alone would remove them.")
        }
        _ => Effect::Kept(TAKEN_BACK_BY_LETTER),
    }
}

fn invitation(cleanup: Cleanup) -> Effect {
    match cleanup {
        Cleanup::Demote | Cleanup::Disable | Cleanup::Delete => {
            Effect::Removed("Invitations end with the role of the administrator who sent them.")
        }
        reporting if reporting.reports_intruder() => {
            Effect::Removed("Open invitations that were sent since are withdrawn.")
        }
        _ => Effect::Kept("Administrators see it at `/admin/invitations` and withdraw it there."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_sentence() {
        for cleanup in Cleanup::ALL {
            for artifact in Artifact::ALL {
                let why = effect(*cleanup, *artifact).reason();
                assert!(why.ends_with('.') && why.chars().next().is_some_and(char::is_uppercase), "{why}");
            }
        }
    }

    #[test]
    fn what_disabling_only_stops_is_back_in_the_enabled_account() {
        for artifact in Artifact::ALL {
            let (while_disabled, after) =
                (effect(Cleanup::Disable, *artifact), effect(Cleanup::DisableAndEnable, *artifact));
            assert_eq!(
                matches!(while_disabled, Effect::Suspended(_)),
                matches!(after, Effect::Kept(_)),
                "{artifact:?}"
            );
        }
    }

    #[test]
    fn no_clean_up_removes_the_owners_way_back() {
        for cleanup in Cleanup::ALL {
            assert!(!effect(*cleanup, Artifact::OwnersUndoLinks).is_removed(), "{cleanup:?}");
        }
    }
}
