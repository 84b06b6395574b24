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
    NotMe,
    UndoEmail,
    UndoFactor,
    Unlock,
    AdminEndsSession,
    AdminEndsAll,
    Disable,
    DisableAndEnable,
    Demote,
    ResetFactors,
    EndEverybody,
    Delete,
}

/// Something a session can begin or leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
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

/// What a clean-up does to a trace, and why: a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Goes(&'static str),
    /// It does not work while the account is disabled, and works again once it is enabled.
    Rests(&'static str),
    Stays(&'static str),
}

/// Which sessions of the account a clean-up ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
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
        Self::NotMe,
        Self::UndoEmail,
        Self::UndoFactor,
        Self::Unlock,
        Self::AdminEndsSession,
        Self::AdminEndsAll,
        Self::Disable,
        Self::DisableAndEnable,
        Self::Demote,
        Self::ResetFactors,
        Self::EndEverybody,
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
            Self::EndEverybody => Some("session revoke --everybody"),
            _ => None,
        }
    }

    pub fn reach(self) -> Reach {
        match self {
            Self::Unlock | Self::Demote | Self::ResetFactors => Reach::None,
            Self::LogOut | Self::EndSession | Self::AdminEndsSession => Reach::One,
            Self::EndOthers | Self::NewPassword => Reach::Others,
            Self::Reset
            | Self::NotMe
            | Self::UndoEmail
            | Self::UndoFactor
            | Self::AdminEndsAll
            | Self::Disable
            | Self::DisableAndEnable
            | Self::EndEverybody
            | Self::Delete => Reach::All,
        }
    }

    /// Whether the owner says that somebody else was in the account: that person may know the password.
    fn disowns(self) -> bool {
        matches!(self, Self::NotMe | Self::UndoEmail | Self::UndoFactor)
    }
}

impl Trace {
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

impl Fate {
    pub fn goes(self) -> bool {
        matches!(self, Self::Goes(_))
    }

    pub fn why(self) -> &'static str {
        match self {
            Self::Goes(why) | Self::Rests(why) | Self::Stays(why) => why,
        }
    }
}

const DISABLED: &str = "It does not work while the account is disabled.";
const TAKEN_BACK_BY_LETTER: &str = "The letter about it has a link that takes it back.";

/// What `cleanup` does to `trace`.
pub fn fate(cleanup: Cleanup, trace: Trace) -> Fate {
    if cleanup == Cleanup::DisableAndEnable {
        return match fate(Cleanup::Disable, trace) {
            Fate::Rests(_) => Fate::Stays("Disabling only stops it; it works again in the enabled account."),
            other => other,
        };
    }
    match trace {
        Trace::Session => session(cleanup, "The clean-up ends it."),
        Trace::OpenForm => session(cleanup, "A form is refused once its session has ended."),
        Trace::PasskeyCeremony => session(cleanup, "The answer of the passkey needs the session that asked."),
        Trace::SessionInSameBrowser | Trace::SessionInOtherBrowser => other_session(cleanup),
        Trace::KnownDevice => known_device(cleanup),
        Trace::PendingLogin => pending_login(cleanup),
        Trace::PendingEmailChange => email_change(cleanup),
        Trace::ChangedAddress => changed_address(cleanup),
        Trace::LinksToChangedAddress => match cleanup {
            Cleanup::UndoEmail => {
                Fate::Goes("Links that were mailed to the other address since are deleted.")
            }
            Cleanup::Disable => Fate::Rests(DISABLED),
            _ => Fate::Stays("Such a link only takes something back; undo email deletes it."),
        },
        Trace::NewPassword => password(cleanup),
        Trace::ResetLink => match cleanup {
            Cleanup::NewPassword | Cleanup::Reset => Fate::Goes("It is older than the new password."),
            Cleanup::Disable | Cleanup::Delete => Fate::Goes("The account has no use for it any more."),
            disowning if disowning.disowns() => Fate::Goes("A new link replaces it."),
            _ => Fate::Stays(
                "It went to the account's address, expires soon, and ends every session when used.",
            ),
        },
        Trace::UnlockLink => match cleanup {
            Cleanup::Unlock | Cleanup::NewPassword | Cleanup::Reset => {
                Fate::Goes("Nothing is locked any more.")
            }
            Cleanup::Disable | Cleanup::Delete => Fate::Goes("The account has no use for it any more."),
            disowning if disowning.disowns() => Fate::Goes("There is no password left to unlock."),
            _ => Fate::Stays("It only resets the count of wrong passwords."),
        },
        Trace::AuthenticatorApp | Trace::Passkey | Trace::RecoveryCodes => factor(cleanup),
        Trace::PasskeyStepOff => match factor(cleanup) {
            Fate::Goes(_) if cleanup != Cleanup::ResetFactors => {
                Fate::Goes("What was chosen before counts again: the passkey is asked for.")
            }
            other => other,
        },
        Trace::Invitation => invitation(cleanup),
        Trace::OwnersUndoLinks => match cleanup {
            Cleanup::Disable => Fate::Rests(DISABLED),
            _ => Fate::Stays("They are the owner's way back, so nothing that a thief can do removes them."),
        },
    }
}

/// For clean-ups that end no session.
fn untouched(cleanup: Cleanup) -> Fate {
    Fate::Stays(match cleanup {
        Cleanup::Demote => "A demotion changes the role, for every session from its next request on.",
        Cleanup::ResetFactors => "It helps an owner who lost the second factor, and only removes factors.",
        _ => "Unlocking only resets the count of wrong passwords.",
    })
}

fn session(cleanup: Cleanup, goes: &'static str) -> Fate {
    match cleanup.reach() {
        Reach::None => untouched(cleanup),
        Reach::One | Reach::Others | Reach::All => Fate::Goes(goes),
    }
}

fn other_session(cleanup: Cleanup) -> Fate {
    match cleanup.reach() {
        Reach::None => untouched(cleanup),
        Reach::One => Fate::Stays("One session ends; the list of sessions shows the others."),
        Reach::Others => Fate::Goes("Every session ends but the one that asked."),
        Reach::All => Fate::Goes("Every session ends."),
    }
}

fn known_device(cleanup: Cleanup) -> Fate {
    match cleanup.reach() {
        Reach::None => untouched(cleanup),
        Reach::One if cleanup == Cleanup::LogOut => {
            Fate::Stays("A browser stays known for the next log-in in it.")
        }
        Reach::One => Fate::Goes("The browser of a session that was ended is forgotten."),
        Reach::Others | Reach::All => {
            Fate::Goes("Every browser is forgotten, except the one in which the clean-up is carried out.")
        }
    }
}

fn pending_login(cleanup: Cleanup) -> Fate {
    match cleanup.reach() {
        Reach::None if cleanup == Cleanup::ResetFactors => {
            Fate::Goes("Without a second factor there is no second step.")
        }
        Reach::None => untouched(cleanup),
        Reach::One => Fate::Stays("It belongs to no session, needs a second factor and lasts ten minutes."),
        Reach::Others | Reach::All => Fate::Goes("Every log-in that waits for its second step is cancelled."),
    }
}

fn email_change(cleanup: Cleanup) -> Fate {
    match cleanup.reach() {
        Reach::None => untouched(cleanup),
        Reach::One => Fate::Goes("Its link works only while the session that asked has not been ended."),
        Reach::Others if cleanup == Cleanup::EndOthers => {
            Fate::Goes("It is cancelled unless the session that remains has asked for it.")
        }
        Reach::Others | Reach::All => Fate::Goes("It is cancelled."),
    }
}

fn changed_address(cleanup: Cleanup) -> Fate {
    match cleanup {
        Cleanup::UndoEmail => Fate::Goes("The account goes by the old address again."),
        Cleanup::Disable => Fate::Rests(DISABLED),
        _ => Fate::Stays("The letter to the old address has a link that takes the change back."),
    }
}

fn password(cleanup: Cleanup) -> Fate {
    match cleanup {
        Cleanup::NewPassword | Cleanup::Reset => Fate::Goes("The new password replaces it."),
        Cleanup::Disable => Fate::Rests(DISABLED),
        disowning if disowning.disowns() => Fate::Goes(
            "Someone else may know it, so the account has no password until its owner sets one by mail.",
        ),
        _ => Fate::Stays("The clean-up does not change the password."),
    }
}

fn factor(cleanup: Cleanup) -> Fate {
    match cleanup {
        Cleanup::NotMe => Fate::Goes("What was added since that session was opened is removed."),
        Cleanup::UndoEmail => Fate::Goes("What was added since the change was requested is removed."),
        Cleanup::UndoFactor => Fate::Goes("What was added since the letter is removed."),
        Cleanup::ResetFactors => Fate::Goes("The operator removes every second factor."),
        Cleanup::Disable => Fate::Rests(DISABLED),
        Cleanup::NewPassword | Cleanup::Reset => {
            Fate::Stays("A new password keeps second factors, or the inbox alone would remove them.")
        }
        _ => Fate::Stays(TAKEN_BACK_BY_LETTER),
    }
}

fn invitation(cleanup: Cleanup) -> Fate {
    match cleanup {
        Cleanup::Demote | Cleanup::Disable | Cleanup::Delete => {
            Fate::Goes("Invitations end with the role of the administrator who sent them.")
        }
        disowning if disowning.disowns() => {
            Fate::Goes("Open invitations that were sent since are withdrawn.")
        }
        _ => Fate::Stays("Administrators see it at `/admin/invitations` and withdraw it there."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_sentence() {
        for cleanup in Cleanup::ALL {
            for trace in Trace::ALL {
                let why = fate(*cleanup, *trace).why();
                assert!(why.ends_with('.') && why.chars().next().is_some_and(char::is_uppercase), "{why}");
            }
        }
    }

    #[test]
    fn what_disabling_only_stops_is_back_in_the_enabled_account() {
        for trace in Trace::ALL {
            let (while_disabled, after) =
                (fate(Cleanup::Disable, *trace), fate(Cleanup::DisableAndEnable, *trace));
            assert_eq!(
                matches!(while_disabled, Fate::Rests(_)),
                matches!(after, Fate::Stays(_)),
                "{trace:?}"
            );
        }
    }

    #[test]
    fn no_clean_up_removes_the_owners_way_back() {
        for cleanup in Cleanup::ALL {
            assert!(!fate(*cleanup, Trace::OwnersUndoLinks).goes(), "{cleanup:?}");
        }
    }
}
