//! The model as the table of docs/security.md.

use std::fmt::Write as _;

use super::{Artifact, Cleanup, Effect, effect};

impl Cleanup {
    fn name(self) -> &'static str {
        match self {
            Self::LogOut => "log out",
            Self::EndSession => "end one session",
            Self::EndOthers => "end the others",
            Self::NewPassword => "new password",
            Self::Reset => "reset",
            Self::ReportSession => "report a session",
            Self::UndoEmail => "undo email",
            Self::UndoFactor => "undo factor",
            Self::Unlock => "unlock",
            Self::AdminEndsSession => "admin ends one",
            Self::AdminEndsAll => "admin ends all",
            Self::Disable => "disable",
            Self::DisableAndEnable => "disable, enable",
            Self::Demote => "demote",
            Self::ResetFactors => "reset factors",
            Self::EndAllSessions => "end all users' sessions",
            Self::Delete => "delete account",
        }
    }
}

impl Artifact {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "the session itself",
            Self::SessionInSameBrowser => "another session in that browser",
            Self::SessionInOtherBrowser => "a session in another browser",
            Self::AppKey => "an app key of the session",
            Self::AppKeyOfOtherSession => "an app key of another session",
            Self::Token => "a token that it created",
            Self::OlderToken => "a token of an earlier session or the operator",
            Self::KnownDevice => "the known device",
            Self::PendingLogin => "a pending log-in",
            Self::OpenForm => "an open form",
            Self::PasskeyCeremony => "a passkey ceremony",
            Self::PendingEmailChange => "a pending change of email",
            Self::ChangedAddress => "a changed email address",
            Self::LinksToChangedAddress => "links mailed to the changed address",
            Self::NewPassword => "a password set in it",
            Self::ResetLink => "a reset link",
            Self::UnlockLink => "an unlock link",
            Self::AuthenticatorApp => "an authenticator app",
            Self::Passkey => "a passkey",
            Self::RecoveryCodes => "recovery codes",
            Self::PasskeyStepOff => "the password alone logs in",
            Self::Invitation => "an invitation",
            Self::OwnersUndoLinks => "the owner's undo links",
        }
    }
}

/// The number of a reason, in the order of the first use in the table.
fn footnote(reasons: &mut Vec<&'static str>, why: &'static str) -> usize {
    let at = reasons.iter().position(|known| *known == why).unwrap_or_else(|| {
        reasons.push(why);
        reasons.len() - 1
    });
    at + 1
}

/// The table in Markdown: a row for each artifact, a column for each clean-up, then the reasons.
pub fn table() -> String {
    let mut reasons = Vec::new();
    let names: Vec<&str> = Cleanup::ALL.iter().map(|cleanup| cleanup.name()).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for artifact in Artifact::ALL {
        let cells = Cleanup::ALL.iter().map(|cleanup| {
            let effect = effect(*cleanup, *artifact);
            let number = footnote(&mut reasons, effect.reason());
            match effect {
                Effect::Removed(_) => format!("removed ({number})"),
                Effect::Suspended(_) => format!("*suspended* ({number})"),
                Effect::Kept(_) => format!("**kept** ({number})"),
            }
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "| {} | {} |", artifact.name(), cells.join(" | "));
    }
    text.push('\n');
    for (at, why) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {why}", at + 1);
    }
    text.push_str("\nCommands that do the same: ");
    let commands = Cleanup::ALL.iter().filter_map(|cleanup| {
        let command = cleanup.command()?.replace(", ", "`, `latchkey ");
        Some(format!("{} (`latchkey {command}`)", cleanup.name()))
    });
    text.push_str(&commands.collect::<Vec<_>>().join(", "));
    text.push_str(".\n");
    text
}
